// Descriptors and logs of the simulated runtime.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/plugins/runtime/sim_fixture.h"

namespace keelson::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// Everything until the other side hangs up.
std::string read_all(const base::FileDescriptor& descriptor) {
    std::string text;
    char buffer[4096];
    for (ssize_t count; (count = ::read(descriptor.get(), buffer, sizeof buffer)) > 0;)
        text.append(buffer, std::size_t(count));
    return text;
}

std::string read_file(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

Json streams(bool input, bool output, bool error) {
    return {{"containerId", Sim::id_of("web")}, {"stdin", input}, {"stdout", output}, {"stderr", error}};
}

TEST(SimStreamsTest, ExecEchoesItsCommand) {
    Sim sim;
    ASSERT_TRUE(sim.run_pod("web", {{"exec-exit-code", "3"}}).ok());
    Json request = streams(true, true, true);
    request.update({{"command", {"echo", "a b"}}, {"tty", false}});
    const SimAnswer answer = sim.call("exec", request);
    ASSERT_TRUE(answer.ok()) << answer.message();
    EXPECT_FALSE(answer.document["execId"].get<std::string>().empty());
    ASSERT_THAT(answer.descriptors, SizeIs(4));
    EXPECT_EQ(::write(answer.descriptors[0].get(), "ignored", 7), 7);
    EXPECT_EQ(read_all(answer.descriptors[1]), "echo a b\n");
    EXPECT_EQ(read_all(answer.descriptors[2]), "");
    EXPECT_EQ(Json::parse(read_all(answer.descriptors[3])), Json({{"exitCode", 3}}));
    request.update({{"stdin", false}, {"stderr", false}, {"tty", true}});
    const SimAnswer terminal = sim.call("exec", request);
    ASSERT_THAT(terminal.descriptors, SizeIs(2));
    EXPECT_EQ(read_all(terminal.descriptors[0]), "echo a b\r\n");
    EXPECT_NE(terminal.document["execId"], answer.document["execId"]);
    ASSERT_TRUE(sim.stop("web", 0).ok());
    EXPECT_EQ(sim.call("exec", request).status, KEELSON_CONFLICT);
}

TEST(SimStreamsTest, AttachmentsEndWithTheContainer) {
    Sim sim;
    ASSERT_TRUE(sim.run_pod("web", {{"run-milliseconds", "1000"}, {"exit-code", "9"}}).ok());
    const SimAnswer answer = sim.call("attach", streams(false, true, false));
    SimAnswer left = sim.call("attach", streams(false, false, false));
    ASSERT_THAT(answer.descriptors, SizeIs(2));
    ASSERT_THAT(left.descriptors, SizeIs(1));
    left.descriptors.clear();  // a client that has gone is no trouble
    sim.advance_ms(1000);
    EXPECT_EQ(sim.state("web"), "exited");
    EXPECT_EQ(read_all(answer.descriptors[0]), "");
    EXPECT_EQ(Json::parse(read_all(answer.descriptors[1])), Json({{"exitCode", 9}}));
}

TEST(SimStreamsTest, AttachmentsAreBounded) {
    Sim sim;
    ASSERT_TRUE(sim.run_pod("web").ok());
    std::int32_t status = KEELSON_OK;
    for (int count = 0; count < 1000 && status == KEELSON_OK; ++count)
        status = sim.call("attach", streams(false, false, false)).status;
    EXPECT_EQ(status, KEELSON_EXHAUSTED);
}

TEST(SimStreamsTest, PortsAnswer) {
    Sim sim;
    const SimAnswer sandbox = sim.run_sandbox("web");
    EXPECT_THAT(sandbox.descriptors, SizeIs(1)) << "it stands for the network namespace";
    const SimAnswer answer = sim.call("port_forward", {{"sandboxId", "s-web"}, {"port", 8080}});
    ASSERT_THAT(answer.descriptors, SizeIs(1));
    EXPECT_EQ(read_all(answer.descriptors[0]), "web:8080\n");
}

TEST(SimStreamsTest, LogsAreThoseOfKubelets) {
    TemporaryDirectory directory;
    std::filesystem::create_directory(directory.path() + "/main");
    Sim sim;
    ASSERT_TRUE(
        sim.run_sandbox("web", {{"run-milliseconds", "1500"}, {"log", "one\ntwo"}}, directory.path()).ok());
    ASSERT_TRUE(sim.create("web").ok());
    ASSERT_TRUE(sim.start("web").ok());
    const std::string path = directory.path() + "/main/0.log";
    const std::string first =
        "2026-01-01T00:00:00.000000000Z stdout F one\n"
        "2026-01-01T00:00:00.000000000Z stdout F two\n";
    EXPECT_EQ(read_file(path), first);
    sim.advance_ms(5000);
    EXPECT_EQ(sim.state("web"), "exited");
    EXPECT_EQ(read_file(path), first + "2026-01-01T00:00:01.500000000Z stdout F exited with code 0\n");
    std::filesystem::rename(path, path + ".1");
    EXPECT_TRUE(sim.call("reopen_log", {{"containerId", sim.id_of("web")}}).ok());
    EXPECT_EQ(read_file(path), "");
    EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(SimStreamsTest, ALogThatCannotBeWrittenIsSaid) {
    Sim sim;
    ASSERT_TRUE(sim.run_sandbox("web", Json::object(), "/nonexistent").ok());
    ASSERT_TRUE(sim.create("web").ok());
    EXPECT_TRUE(sim.start("web").ok());
    EXPECT_THAT(sim.log(), ::testing::ElementsAre(HasSubstr("cannot write /nonexistent/main/0.log")));
    Sim silent(Json{{"logs", false}});
    ASSERT_TRUE(silent.run_sandbox("web", Json::object(), "/nonexistent").ok());
    ASSERT_TRUE(silent.create("web").ok());
    EXPECT_TRUE(silent.start("web").ok());
    EXPECT_THAT(silent.log(), SizeIs(0));
}

}  // namespace
}  // namespace keelson::testing

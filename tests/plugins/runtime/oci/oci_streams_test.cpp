// Logs, what is executed, attached clients, terminals, ports.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <thread>

#include "tests/plugins/runtime/oci/oci_fixture.h"

namespace keelson::testing {
namespace {

using ::testing::HasSubstr;

class OciStreamsTest : public OciTest {
  protected:
    OciAnswer attach(const std::string& pod, bool input) {
        return oci().call(
            "attach", {{"containerId", id_of(pod)}, {"stdin", input}, {"stdout", true}, {"stderr", false}});
    }
    OciAnswer exec(const std::string& pod, const Json& command, const Json& more = Json::object()) {
        Json request = {{"containerId", id_of(pod)},
                        {"command", command},
                        {"tty", false},
                        {"stdin", false},
                        {"stdout", true},
                        {"stderr", true}};
        request.merge_patch(more);
        return oci().call("exec", request);
    }
    static std::string read_some(int descriptor) {
        pollfd waiting{descriptor, POLLIN, 0};
        char text[4096];
        if (::poll(&waiting, 1, 30'000) != 1) return "nothing came";
        const ssize_t got = ::read(descriptor, text, sizeof text);
        return got > 0 ? std::string(text, std::size_t(got)) : "";
    }
    static bool read_until(int descriptor, const std::string& wanted) {
        std::string text;
        while (text.find(wanted) == std::string::npos) {
            const std::string more = read_some(descriptor);
            if (more.empty() || more == "nothing came") return false;
            text += more;
        }
        return true;
    }
    static void say(const base::FileDescriptor& to, const std::string& text) {
        ASSERT_EQ(::write(to.get(), text.data(), text.size()), ssize_t(text.size()));
    }
};

TEST_F(OciStreamsTest, BothStreamsAreLogged) {
    ASSERT_TRUE(run("log", "echo out; echo err >&2; printf 'no end'").ok());
    wait_for_state("log", "exited");
    EXPECT_THAT(log_text("log"), HasSubstr(" stdout F out\n"));
    EXPECT_THAT(log_text("log"), HasSubstr(" stderr F err\n"));
    EXPECT_THAT(log_text("log"), HasSubstr(" stdout F no end\n"));
}

TEST_F(OciStreamsTest, LongLinesComeInPieces) {
    ASSERT_TRUE(run("long", "yes a | tr -d '\\n' | head -c 40000; echo; echo short", Json::object()).ok());
    wait_for_state("long", "exited");
    std::stringstream lines(log_text("long"));
    std::vector<std::pair<std::string, std::size_t>> pieces;
    for (std::string line; std::getline(lines, line);)
        pieces.emplace_back(line.substr(38, 1), line.size() - 40);
    const std::vector<std::pair<std::string, std::size_t>> expected = {
        {"P", 16'384}, {"P", 16'384}, {"F", 40'000 - 2 * 16'384}, {"F", 5}};
    EXPECT_EQ(pieces, expected);
}

TEST_F(OciStreamsTest, TenThousandLines) {
    ASSERT_TRUE(run("many", "seq 1 10000; seq 1 10000 | while read n; do echo line $n; done").ok());
    wait_for_state("many", "exited");
    std::stringstream lines(log_text("many"));
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        const std::string text = (count < 10'000 ? "" : "line ") + std::to_string(count % 10'000 + 1);
        ASSERT_EQ(line.substr(30), " stdout F " + text);
    }
    EXPECT_EQ(count, 20'000);
}

TEST_F(OciStreamsTest, LogsAreReopened) {
    ASSERT_TRUE(run("log", "while read line; do echo got $line; done", {{"stdin", true}}).ok());
    OciAnswer client = attach("log", true);
    say(client.descriptors[0], "one\n");
    ASSERT_TRUE(eventually([&] { return log_text("log").find("got one") != std::string::npos; }));
    std::filesystem::rename(log_path("log"), log_path("log") + ".old");
    ASSERT_TRUE(oci().call("reopen_log", {{"containerId", id_of("log")}}).ok());
    say(client.descriptors[0], "two\n");
    EXPECT_TRUE(eventually([&] { return log_text("log").find("got two") != std::string::npos; }));
    EXPECT_EQ(log_text("log").find("got one"), std::string::npos);
}

TEST_F(OciStreamsTest, LogsAreBounded) {
    start({{"logBytes", 100'000}});
    ASSERT_TRUE(run("big", "yes 0123456789 | head -n 20000").ok());
    wait_for_state("big", "exited");
    EXPECT_LE(std::filesystem::file_size(log_path("big")), 100'000u);
    EXPECT_LE(std::filesystem::file_size(log_path("big") + ".1"), 100'000u);
}

TEST_F(OciStreamsTest, Executes) {
    ASSERT_TRUE(run("web", "sleep 1000", {{"environment", {{{"name", "A"}, {"value", "b"}}}}}).ok());
    OciAnswer done = exec("web", {"/bin/sh", "-c", "echo $A; echo oops >&2; exit 3"});
    ASSERT_TRUE(done.ok()) << done.message();
    ASSERT_EQ(done.descriptors.size(), 3u);
    EXPECT_EQ(read_all(done.descriptors[0].get()), "b\n");
    EXPECT_EQ(read_all(done.descriptors[1].get()), "oops\n");
    EXPECT_EQ(Json::parse(read_all(done.descriptors[2].get())), Json({{"exitCode", 3}}));
    OciAnswer copied = exec("web", {"cat"}, {{"stdin", true}, {"stderr", false}});
    ASSERT_EQ(copied.descriptors.size(), 3u);
    say(copied.descriptors[0], "through");
    copied.descriptors[0] = {};
    EXPECT_EQ(read_all(copied.descriptors[1].get()), "through");
    EXPECT_EQ(Json::parse(read_all(copied.descriptors[2].get())), Json({{"exitCode", 0}}));
    const OciAnswer missing = exec("web", {"nosuchprogram"});
    EXPECT_EQ(missing.status, KEELSON_INVALID);
    EXPECT_THAT(missing.message(), HasSubstr("`nosuchprogram` not found"));
}

TEST_F(OciStreamsTest, ExecutionsTimeOut) {
    ASSERT_TRUE(run("web", "sleep 1000").ok());
    const OciAnswer slow = exec("web", {"sleep", "1000"}, {{"timeoutSeconds", 1}});
    ASSERT_TRUE(slow.ok()) << slow.message();
    EXPECT_EQ(Json::parse(read_all(slow.descriptors[2].get())), Json({{"exitCode", 137}}));
}

TEST_F(OciStreamsTest, ExecutionsEndWithTheContainer) {
    ASSERT_TRUE(run("web", "sleep 1000").ok());
    const OciAnswer waiting = exec("web", {"sleep", "1000"});
    ASSERT_TRUE(stop_container("web", 0).ok());
    EXPECT_EQ(Json::parse(read_all(waiting.descriptors[2].get())), Json({{"exitCode", 137}}));
}

TEST_F(OciStreamsTest, ManyExecutionsAtOnce) {
    ASSERT_TRUE(run("web", "sleep 1000").ok());
    std::vector<std::thread> threads;
    std::atomic<int> good = 0;
    threads.reserve(8);
    for (int number = 0; number < 8; ++number)
        threads.emplace_back([&, number] {
            for (int round = 0; round < 5; ++round) {
                const std::string text = std::to_string(number * 100 + round);
                const OciAnswer done = exec("web", {"echo", text});
                if (done.ok() && read_all(done.descriptors[0].get()) == text + "\n" &&
                    read_all(done.descriptors[2].get()) == "{\"exitCode\":0}")
                    ++good;
            }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(good, 40);
}

TEST_F(OciStreamsTest, ExecutesWithATerminal) {
    ASSERT_TRUE(run("web", "sleep 1000").ok());
    OciAnswer shell = exec("web", {"/bin/sh"}, {{"tty", true}, {"stdin", true}, {"stderr", false}});
    ASSERT_TRUE(shell.ok()) << shell.message();
    ASSERT_EQ(shell.descriptors.size(), 3u);
    const OciAnswer resized = oci().call(
        "resize",
        {{"containerId", id_of("web")}, {"execId", shell.document["execId"]}, {"columns", 91}, {"rows", 33}});
    ASSERT_TRUE(resized.ok()) << resized.message();
    say(shell.descriptors[0], "tty && stty size\n");
    EXPECT_TRUE(read_until(shell.descriptors[1].get(), "33 91"));
    say(shell.descriptors[0], "exit 5\n");
    EXPECT_EQ(Json::parse(read_all(shell.descriptors[2].get())), Json({{"exitCode", 5}}));
    read_all(shell.descriptors[1].get());
}

TEST_F(OciStreamsTest, LeavingATerminalHangsUp) {
    ASSERT_TRUE(run("web", "sleep 1000").ok());
    OciAnswer shell = exec("web", {"/bin/sh"}, {{"tty", true}, {"stdin", true}, {"stderr", false}});
    ASSERT_TRUE(shell.ok()) << shell.message();
    ASSERT_TRUE(read_until(shell.descriptors[1].get(), "#"));
    shell.descriptors[0] = {};
    shell.descriptors[1] = {};
    EXPECT_EQ(Json::parse(read_all(shell.descriptors[2].get())), Json({{"exitCode", 129}}));
}

TEST_F(OciStreamsTest, AUserOpensItsStreamsAgain) {
    EXPECT_EQ(
        output_of("web", "echo out >/dev/stdout; echo err >/dev/stderr", {{"security", {{"user", 1000}}}}),
        "out\nerr\n");
}

TEST_F(OciStreamsTest, EachAttachedClientGetsItsCopy) {
    ASSERT_TRUE(run("web", "while read line; do echo got $line; done; echo end", {{"stdin", true}}).ok());
    OciAnswer first = attach("web", true);
    OciAnswer second = attach("web", false);
    ASSERT_TRUE(first.ok() && second.ok());
    ASSERT_EQ(first.descriptors.size(), 3u);
    ASSERT_EQ(second.descriptors.size(), 2u);
    say(first.descriptors[0], "this\n");
    EXPECT_EQ(read_some(first.descriptors[1].get()), "got this\n");
    EXPECT_EQ(read_some(second.descriptors[0].get()), "got this\n");
    first.descriptors.clear();
    OciAnswer third = attach("web", true);
    say(third.descriptors[0], "that\n");
    EXPECT_EQ(read_some(second.descriptors[0].get()), "got that\n") << "standard input outlives a client";
    ASSERT_TRUE(stop_container("web", 0).ok());
    EXPECT_EQ(Json::parse(read_all(second.descriptors[1].get())), Json({{"exitCode", 137}}));
    EXPECT_EQ(read_all(second.descriptors[0].get()), "");
}

TEST_F(OciStreamsTest, StandardInputOnceEndsWithItsClient) {
    ASSERT_TRUE(run("web", "cat; echo end", {{"stdin", true}, {"stdinOnce", true}}).ok());
    OciAnswer client = attach("web", true);
    say(client.descriptors[0], "text\n");
    client.descriptors[0] = {};
    EXPECT_EQ(wait_for_state("web", "exited")["exitCode"], 0);
    EXPECT_THAT(log_text("web"), HasSubstr("stdout F text\n"));
    EXPECT_THAT(log_text("web"), HasSubstr("stdout F end\n"));
}

// A client that does not read is left behind; the container, the log and other clients are not.
TEST_F(OciStreamsTest, ASlowClientBlocksNobody) {
    ASSERT_TRUE(run("web",
                    "read go; yes 0123456789abcdef | head -c 20000000 | wc -c >&2; yes 0123456789abcdef | "
                    "head -c 20000000; echo; echo the end",
                    {{"stdin", true}})
                    .ok());
    OciAnswer slow = attach("web", true);
    say(slow.descriptors[0], "go\n");
    EXPECT_EQ(wait_for_state("web", "exited")["exitCode"], 0);
    EXPECT_THAT(log_text("web"), HasSubstr("stdout F the end\n"));
}

TEST_F(OciStreamsTest, Terminals) {
    ASSERT_TRUE(
        run("tty", "tty; while read line; do stty size; done", {{"tty", true}, {"stdin", true}}).ok());
    OciAnswer client = attach("tty", true);
    ASSERT_TRUE(client.ok()) << client.message();
    ASSERT_TRUE(oci().call("resize", {{"containerId", id_of("tty")}, {"columns", 77}, {"rows", 22}}).ok());
    say(client.descriptors[0], "\n");
    EXPECT_TRUE(read_until(client.descriptors[1].get(), "22 77"));
    EXPECT_TRUE(eventually([&] { return log_text("tty").find("/dev/pts/0") != std::string::npos; }));
    say(client.descriptors[0], "\004");
    EXPECT_EQ(wait_for_state("tty", "exited")["exitCode"], 0);
}

TEST_F(OciStreamsTest, ForwardsPorts) {
    ASSERT_TRUE(run("web", "echo ready; nc -l -p 8080 -e /bin/cat").ok());
    ASSERT_TRUE(eventually([&] { return !log_text("web").empty(); }));
    OciAnswer forwarded;
    const bool connected = eventually([&] {
        forwarded = oci().call("port_forward", {{"sandboxId", "s-web"}, {"port", 8080}});
        return forwarded.ok();
    });
    ASSERT_TRUE(connected) << forwarded.message();
    say(forwarded.descriptors.at(0), "round trip");
    EXPECT_EQ(read_some(forwarded.descriptors[0].get()), "round trip");
    const OciAnswer closed = oci().call("port_forward", {{"sandboxId", "s-web"}, {"port", 8081}});
    EXPECT_EQ(closed.status, KEELSON_UNAVAILABLE);
    EXPECT_THAT(closed.message(), HasSubstr("8081"));
}

}  // namespace
}  // namespace keelson::testing

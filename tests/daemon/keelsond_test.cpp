// The program as its operator meets it: exit codes, messages, files, signals.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>

#include "kernel/api/server.h"
#include "kernel/base/files.h"
#include "tests/support/https_client.h"

extern char** environ;

namespace keelson {
namespace {

namespace fs = std::filesystem;
using testing::HttpsClient;

// A keelsond whose standard error is read through a pipe.
class Process {
  public:
    explicit Process(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), KEELSOND);
        std::vector<char*> pointers;
        pointers.reserve(arguments.size() + 1);
        for (std::string& argument : arguments) pointers.push_back(argument.data());
        pointers.push_back(nullptr);
        int ends[2];
        EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
        EXPECT_EQ(::posix_spawn(&pid_, KEELSOND, &actions, nullptr, pointers.data(), environ), 0);
        posix_spawn_file_actions_destroy(&actions);
        ::close(ends[1]);
        output_ = ends[0];
    }
    ~Process() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(output_);
    }
    // Reads until the text has been printed; false when the process ends or 20 seconds pass first.
    bool wait_for(const std::string& text) {
        while (printed.find(text) == std::string::npos) {
            if (!read_some()) return false;
        }
        return true;
    }
    int wait_for_exit() {
        while (read_some()) {
        }
        int status = 0;
        ::waitpid(std::exchange(pid_, -1), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }
    void signal(int number) const { ::kill(pid_, number); }

    std::string printed;

  private:
    bool read_some() {
        pollfd entry{.fd = output_, .events = POLLIN, .revents = 0};
        if (::poll(&entry, 1, 20'000) != 1) return false;
        char bytes[4096];
        const ssize_t count = ::read(output_, bytes, sizeof bytes);
        if (count <= 0) return false;
        printed.append(bytes, static_cast<std::size_t>(count));
        return true;
    }
    pid_t pid_ = -1;
    int output_ = -1;
};

class KeelsondTest : public ::testing::Test {
  protected:
    KeelsondTest() {
        std::string text = ::testing::TempDir() + "keelsond-XXXXXX";
        root = ::mkdtemp(text.data());
        data = root + "/data";
    }
    ~KeelsondTest() override { fs::remove_all(root); }

    // Expects exit code 2, one line with that text, and no trace on the disk.
    void expect_refusal(const std::vector<std::string>& arguments, const std::string& text) {
        Process process(arguments);
        EXPECT_EQ(process.wait_for_exit(), 2) << process.printed;
        EXPECT_TRUE(process.printed.starts_with("keelsond: ")) << process.printed;
        EXPECT_NE(process.printed.find(text), std::string::npos) << process.printed;
        EXPECT_EQ(std::ranges::count(process.printed, '\n'), 1) << process.printed;
        EXPECT_FALSE(fs::exists(data));
    }
    std::string write(const std::string& name, const std::string& text) {
        std::ofstream(root + "/" + name) << text;
        return root + "/" + name;
    }
    std::uint16_t port() {
        std::smatch match;
        const auto text = base::read_file(data + "/admin.kubeconfig");
        EXPECT_TRUE(text);
        EXPECT_TRUE(std::regex_search(*text, match, std::regex("https://127.0.0.1:([0-9]+)")));
        return static_cast<std::uint16_t>(std::stoi(match[1]));
    }
    HttpsClient connect() {
        HttpsClient::Options options;
        options.port = port();
        options.ca = *base::read_file(data + "/pki/ca.crt");
        return HttpsClient(std::move(options));
    }
    std::string token() {
        std::string text = *base::read_file(data + "/admin.token");
        text.pop_back();
        return "Authorization: Bearer " + text + "\r\n";
    }

    std::string root;
    std::string data;
};

TEST_F(KeelsondTest, RefusesBadFlagsAndConfigurations) {
    expect_refusal({"--data-dir", data, "--nonsense"}, "--nonsense");
    expect_refusal({"--data-dir", data, "--api-port", "ninety"}, "--api-port");
    expect_refusal({"--data-dir", data, "--roles", "cook"}, "unknown role 'cook'");
    expect_refusal({"--data-dir", data, "--config", root + "/none.yaml"}, "none.yaml");
    expect_refusal({"--data-dir", data, "--config", write("a.yaml", "apiServer:\n  prot: 1\n")},
                   "line 2: unknown key 'prot'");
    expect_refusal({"--data-dir", data, "--config",
                    write("b.yaml", "apiServer: {tokenFile: " + write("t", "x\n") + "}\n")},
                   "line 1: must be token,user,uid");
    expect_refusal({"--data-dir", data, "--config",
                    write("c.yaml", "audit: {policyFile: " + write("p", "rule: []\n") + "}\n")},
                   "unknown key 'rule'");
}

TEST_F(KeelsondTest, RefusesAPortThatIsTaken) {
    const auto taken = api::Listener::open("::", 0);
    ASSERT_TRUE(taken);
    expect_refusal({"--data-dir", data, "--api-port", std::to_string(taken->port())},
                   "choose another port with --api-port");
    expect_refusal({"--data-dir", data, "--api-port", "0", "--admin-port", std::to_string(taken->port())},
                   "with --admin-port");
}

TEST_F(KeelsondTest, RefusesAForeignDirectory) {
    write("precious.txt", "x");
    Process process({"--data-dir", root, "--roles", "api", "--api-port", "0", "--admin-port", "0"});
    EXPECT_EQ(process.wait_for_exit(), 2);
    EXPECT_NE(process.printed.find("not Keelson's"), std::string::npos) << process.printed;
    EXPECT_EQ(std::distance(fs::directory_iterator(root), fs::directory_iterator()), 1);
}

TEST_F(KeelsondTest, ServesUntilItIsTold) {
    const auto start = std::chrono::steady_clock::now();
    Process process(
        {"--data-dir", data, "--roles", "api,control,scheduler", "--api-port", "0", "--admin-port", "0"});
    ASSERT_TRUE(process.wait_for("ready")) << process.printed;
    RecordProperty("start_ms", static_cast<int>((std::chrono::steady_clock::now() - start) /
                                                std::chrono::milliseconds(1)));
    EXPECT_EQ(connect().request("GET", "/readyz").body, "ok");
    EXPECT_EQ(connect().request("GET", "/metrics", token()).status, 200);
    EXPECT_EQ(connect().request("GET", "/metrics").status, 403);
    for (const char* name : {"/admin.kubeconfig", "/admin.token"}) {
        struct stat info {};
        ASSERT_EQ(::stat((data + name).c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 0777u, 0600u) << name;
    }
    Process second(
        {"--data-dir", data, "--roles", "api,control,scheduler", "--api-port", "0", "--admin-port", "0"});
    EXPECT_EQ(second.wait_for_exit(), 2);
    EXPECT_NE(second.printed.find("is in use"), std::string::npos) << second.printed;

    auto idle = connect();
    EXPECT_EQ(idle.request("GET", "/livez").status, 200);
    const auto stop = std::chrono::steady_clock::now();
    process.signal(SIGTERM);
    EXPECT_EQ(process.wait_for_exit(), 0) << process.printed;
    EXPECT_LT(std::chrono::steady_clock::now() - stop, std::chrono::seconds(30)) << "it waits for the client";
    EXPECT_TRUE(idle.at_end());
    Process again(
        {"--data-dir", data, "--roles", "api,control,scheduler", "--api-port", "0", "--admin-port", "0"});
    EXPECT_TRUE(again.wait_for("ready")) << again.printed;
}

TEST_F(KeelsondTest, ReloadsItsConfiguration) {
    const std::string tokens = write("tokens", "first,jane,1,\"system:masters\"\n");
    const std::string config = write("config.yaml", "apiServer:\n  tokenFile: " + tokens + "\n");
    Process process({"--data-dir", data, "--roles", "api,control,scheduler", "--api-port", "0",
                     "--admin-port", "0", "--config", config});
    ASSERT_TRUE(process.wait_for("ready")) << process.printed;
    EXPECT_EQ(connect().request("GET", "/metrics", "Authorization: Bearer first\r\n").status, 200);
    write("tokens", "second,jane,1,\"system:masters\"\n");
    process.signal(SIGHUP);
    ASSERT_TRUE(process.wait_for("configuration reloaded")) << process.printed;
    EXPECT_EQ(connect().request("GET", "/metrics", "Authorization: Bearer first\r\n").status, 401);
    EXPECT_EQ(connect().request("GET", "/metrics", "Authorization: Bearer second\r\n").status, 200);
    write("config.yaml", "nonsense: 1\n");
    process.signal(SIGHUP);
    ASSERT_TRUE(process.wait_for("was not reloaded")) << process.printed;
    EXPECT_EQ(connect().request("GET", "/metrics", "Authorization: Bearer second\r\n").status, 200);
}

}  // namespace
}  // namespace keelson

#include "kernel/daemon/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keelson::daemon {
namespace {

std::string failure(const std::string& yaml) {
    const auto config = parse_config(yaml);
    return config ? std::string("no failure") : config.error().message();
}

TEST(Config, ReadsWhatItIsGiven) {
    const auto config = parse_config(R"(
dataDirectory: /data
roles: [api, scheduler]
apiServer:
  address: 127.0.0.1
  advertiseAddress: 192.0.2.9
  port: 7443
  serverNames: [example.org, 192.0.2.7]
  tokenFile: /etc/tokens
  anonymous: false
  maxConnections: 100
admin: {port: 7444}
audit: {policyFile: /etc/policy, path: /var/log/audit}
log: {level: debug, format: json, path: /var/log/keelson}
)");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->data_directory, "/data");
    EXPECT_EQ(config->roles, (std::set<std::string>{"api", "scheduler"}));
    EXPECT_EQ(config->api_address, "127.0.0.1");
    EXPECT_EQ(config->advertise_address, "192.0.2.9");
    EXPECT_EQ(config->api_port, 7443);
    EXPECT_EQ(config->admin_port, 7444);
    EXPECT_EQ(config->server_names.size(), 2u);
    EXPECT_FALSE(config->anonymous);
    EXPECT_EQ(config->max_connections, 100u);
    EXPECT_EQ(config->audit_log_path, "/var/log/audit");
    EXPECT_TRUE(config->log.json);
    EXPECT_EQ(config->log.level, base::LogLevel::debug);
}

TEST(Config, AnEmptyFileIsTheDefaults) {
    for (const char* text : {"", "\n# nothing\n", "---\n", "apiServer:\n"}) {
        const auto config = parse_config(text);
        ASSERT_TRUE(config) << text;
        EXPECT_TRUE(*config == Config{});
    }
}

TEST(Config, NamesTheLineOfWhatIsWrong) {
    EXPECT_TRUE(failure("roles: [api]\napiPort: 1\n").starts_with("line 2: unknown key 'apiPort'"));
    EXPECT_TRUE(failure("apiServer:\n  port: 1\n  prot: 2\n")
                    .starts_with("line 3: unknown key 'prot' (known here: address"));
    EXPECT_TRUE(failure("apiServer:\n  port: many\n").starts_with("line 2: 'port' must be a number"));
    EXPECT_TRUE(failure("apiServer: {port: 65536}\n").starts_with("line 1: 'port' must be between"));
    EXPECT_TRUE(failure("apiServer: []\n").starts_with("line 1: 'apiServer' must be an object"));
    EXPECT_TRUE(failure("- a\n").starts_with("line 1: the configuration must be an object"));
    EXPECT_TRUE(failure("roles: api\n").starts_with("line 1: 'roles' must be a list"));
    EXPECT_TRUE(failure("\nroles: [api, cook]\n").starts_with("line 2: unknown role 'cook'"));
    EXPECT_TRUE(failure("log: {level: loud}\n").starts_with("line 1: "));
    EXPECT_TRUE(failure("log: {format: xml}\n").starts_with("line 1: 'format' must be text or json"));
    EXPECT_TRUE(
        failure("admin: {port: 1}\nadmin: {port: 2}\n").starts_with("line 2: key 'admin' is given twice"));
    EXPECT_TRUE(failure("a: [\n").starts_with("line "));
}

std::string flags(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "keelsond");
    const auto line = parse_command_line(static_cast<int>(arguments.size()), arguments.data());
    if (!line) return line.error().message();
    const auto config = load_config(*line);
    return config ? "" : config.error().message();
}

TEST(Config, SaysWhatPluginsMayReadAndWhoseSignatureTheyNeed) {
    const auto config = parse_config(
        "plugins:\n"
        "  checkDocuments: true\n"
        "  trustedKeys: [{file: /etc/keelson/a.pem, vendor: com.example}, {file: /etc/keelson/all.pem}]\n"
        "  entries:\n"
        "    - name: lb\n"
        "      objects: [{apiVersion: v1, resource: services}, {apiVersion: v1, resource: nodes, verbs: "
        "[get]}]\n");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_TRUE(config->plugins.check_documents);
    EXPECT_EQ(config->plugins.trusted_keys,
              (std::vector<plugin::TrustedKey>{{"/etc/keelson/a.pem", "com.example"},
                                               {"/etc/keelson/all.pem", ""}}));
    EXPECT_EQ(config->plugins.entries.at(0).objects,
              (std::vector<plugin::ObjectAccess>{{"v1", "services", {"get", "list", "watch"}},
                                                 {"v1", "nodes", {"get"}}}));
    for (const char* wrong : {"plugins:\n  trustedKeys:\n    - {vendor: com.example}\n",
                              "plugins:\n  entries:\n    - {name: lb, objects: [{apiVersion: v1}]}\n",
                              "plugins:\n  entries:\n    - name: lb\n      objects: [{apiVersion: v1, "
                              "resource: pods, verbs: [delete]}]\n"})
        EXPECT_THAT(parse_config(wrong).error().message(), ::testing::StartsWith("line ")) << wrong;
}

TEST(CommandLine, TellsWhatIsWrong) {
    EXPECT_EQ(flags({}), "");
    EXPECT_EQ(flags({"--data-dir", "/d", "--api-port", "1", "--admin-port=2", "--roles", "api,node"}), "");
    EXPECT_NE(flags({"--colour", "red"}).find("--colour"), std::string::npos);
    EXPECT_NE(flags({"--api-port", "x"}).find("--api-port"), std::string::npos);
    EXPECT_NE(flags({"--api-port", "70000"}).find("--api-port"), std::string::npos);
    EXPECT_NE(flags({"--roles", "api,cook"}).find("unknown role 'cook'"), std::string::npos);
    EXPECT_NE(flags({"--config", "/does/not/exist"}).find("/does/not/exist"), std::string::npos);
    EXPECT_NE(flags({"stray"}).find("stray"), std::string::npos);
}

TEST(CommandLine, ANodeAloneNeedsAClusterToJoin) {
    const auto problem = [](const std::string& roles, const std::string& server,
                            const std::string& token = {}, const std::string& hash = {}) {
        CommandLine line;
        line.roles = roles;
        if (!server.empty()) line.join_server = server;
        line.join_token = token;
        line.join_ca_hash = hash;
        const auto config = load_config(line);
        return config ? std::string() : config.error().message();
    };
    const std::string server = "https://192.0.2.1:6443", hash = "sha256:" + std::string(64, 'a');
    EXPECT_EQ(problem("node", server, "abcdef.0123456789abcdef", hash), "");
    EXPECT_EQ(problem("node", server), "");
    EXPECT_NE(problem("node", "").find("--join"), std::string::npos);
    EXPECT_NE(problem("api,node", server).find("--roles node"), std::string::npos);
    EXPECT_NE(problem("node", "http://192.0.2.1").find("https://HOST:PORT"), std::string::npos);
    EXPECT_NE(problem("node", server, "abcdef").find("--token"), std::string::npos);
    EXPECT_NE(problem("node", server, "", "abc").find("--ca-hash"), std::string::npos);
}

TEST(CommandLine, FlagsWinOverTheFile) {
    CommandLine line;
    line.data_directory = "/elsewhere";
    line.api_port = 1234;
    const auto config = load_config(line);
    ASSERT_TRUE(config);
    EXPECT_EQ(config->data_directory, "/elsewhere");
    EXPECT_EQ(config->api_port, 1234);
    EXPECT_EQ(config->audit_log_path, "/elsewhere/audit.log");
}

}  // namespace
}  // namespace keelson::daemon

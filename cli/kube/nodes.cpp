// keelctl node join-token, cluster status
#include <openssl/rand.h>

#include <cstdlib>
#include <map>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/printing.h"
#include "cli/kube/resources.h"
#include "cli/kube/table.h"
#include "cli/output.h"
#include "cli/server.h"
#include "kernel/base/clock.h"
#include "kernel/base/openssl.h"
#include "kernel/base/sha256.h"
#include "kernel/object/time_format.h"

namespace keelson::cli::kube {
namespace {

constexpr std::size_t kTokenId = 6;
constexpr std::size_t kTokenSecret = 16;
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kDay = kSecond * 24 * 3600;
constexpr std::size_t kShownWarnings = 5;

Result<std::string> random_letters(std::size_t count) {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789";
    // Bytes from here on would make the first letters likelier.
    constexpr unsigned kLimit = 256 - 256 % kLetters.size();
    std::string text;
    while (text.size() < count) {
        unsigned char byte = 0;
        if (RAND_bytes(&byte, 1) != 1) return fail("there is no randomness for a token");
        if (byte < kLimit) text += kLetters[byte % kLetters.size()];
    }
    return text;
}

// Of the authority's public key, as joining nodes check it.
Result<std::string> key_hash(const std::string& pem) {
    const auto certificate = base::parse_certificate(pem);
    if (!certificate)
        return fail(
            "the kubeconfig holds no authority of the server's certificate, whose key a node must know");
    return "sha256:" + base::hexadecimal(base::public_key_digest(certificate.get()));
}

bool is_loopback(const std::string& host) {
    return host == "localhost" || host == "::1" || host.starts_with("127.");
}

// Where other machines find the API: what the kubeconfig has may be good on this one only.
std::string advertised_server(Api& api) {
    const Server& server = api.server();
    if (!is_loopback(server.host)) return server.text();
    const auto slices = api.ask({.path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
                                 .query = {{"labelSelector", "kubernetes.io/service-name=kubernetes"}}});
    if (!slices || !member(*slices, "items").is_array()) return server.text();
    for (const Object& slice : member(*slices, "items"))
        for (const Object& endpoint : member(slice, "endpoints"))
            for (const Object& address : member(endpoint, "addresses")) {
                Server other = server;
                other.host = address.is_string() ? address.get<std::string>() : other.host;
                for (const Object& port : member(slice, "ports"))
                    if (member(port, "port").is_number_integer())
                        other.port = member(port, "port").get<std::uint16_t>();
                return other.text();
            }
    return server.text();
}

class JoinToken : public Command {
  public:
    void add_flags(Flags& flags) override {
        flags.duration("ttl", ttl_, "How long machines may join with it");
        add_document_flag(flags, document_);
    }

    Result<void> run(Session& session, const Words& words) override {
        if (!words.words.empty()) return misused("unexpected arguments: [" + words.words.front() + "]");
        if (ttl_ < kSecond) return misused("--ttl must be a second or more");
        if (auto good = document_.check(); !good) return good;
        const auto api = session.api();
        if (!api) return pass_on(api);
        const auto hash = key_hash((*api)->server().authority);
        if (!hash) return pass_on(hash);
        const auto id = random_letters(kTokenId);
        const auto secret = random_letters(kTokenSecret);
        if (!id || !secret) return pass_on(id ? secret : id);
        auto now = object::instant_of(base::system_clock().wall_now());
        now.seconds += ttl_ / kSecond;
        const std::string expires = object::format_time(now);
        const Object body = {{"apiVersion", "v1"},
                             {"kind", "Secret"},
                             {"metadata", {{"name", "bootstrap-token-" + *id}, {"namespace", "kube-system"}}},
                             {"type", "bootstrap.kubernetes.io/token"},
                             {"stringData",
                              {{"token-id", *id},
                               {"token-secret", *secret},
                               {"expiration", expires},
                               {"usage-bootstrap-authentication", "true"},
                               {"usage-bootstrap-signing", "true"}}}};
        const auto made = (*api)->ask({.method = "POST",
                                       .path = "/api/v1/namespaces/kube-system/secrets",
                                       .query = {{"fieldManager", "keelctl-join-token"}},
                                       .body = compact(body)});
        if (!made) return pass_on(made);
        const std::string token = *id + "." + *secret;
        const std::string server = advertised_server(**api);
        const std::string command =
            "keelsond --roles node --join " + server + " --token " + token + " --ca-hash " + *hash;
        if (document_.is_wanted()) {
            document_.print({{"token", token},
                             {"expires", expires},
                             {"server", server},
                             {"caHash", *hash},
                             {"command", command}});
            return {};
        }
        print(command + "\n");
        warn("Run this on the machine that is to join. Until " + expires +
             " whoever has it can become any node.");
        return {};
    }

  private:
    std::int64_t ttl_ = kDay;
    DocumentFlag document_;
};

// "Ready", or why it is not.
std::string state_of_node(const Object& node) {
    const Object& conditions = member(node, {"status", "conditions"});
    if (conditions.is_array())
        for (const Object& condition : conditions)
            if (text_at(condition, "type") == "Ready")
                return text_at(condition, "status") == "True" ? "ready"
                                                              : "not ready: " + text_at(condition, "message");
    return "not ready: it has not told anything yet";
}

class ClusterStatus : public Command {
  public:
    void add_flags(Flags& flags) override { add_document_flag(flags, document_); }

    Result<void> run(Session& session, const Words& /*words*/) override {
        if (auto good = document_.check(); !good) return good;
        const auto api = session.api();
        if (!api) return pass_on(api);
        const auto version = (*api)->ask({.path = "/version"});
        if (!version) return pass_on(version);
        status_["server"] = {{"url", (*api)->server().text()}, {"version", text_at(*version, "gitVersion")}};
        if (auto done = read_nodes(**api); !done) return done;
        if (auto done = read_pods(**api); !done) return done;
        if (auto done = read_warnings(**api); !done) return done;
        read_admin(session);
        if (document_.is_wanted())
            document_.print(status_);
        else
            print_screen();
        return {};
    }

  private:
    Result<void> read_nodes(Api& api) {
        const auto list = api.ask({.path = "/api/v1/nodes"});
        if (!list) return pass_on(list);
        status_["nodes"] = Object::array();
        for (const Object& node : member(*list, "items"))
            status_["nodes"].push_back({{"name", name_of(node)}, {"state", state_of_node(node)}});
        return {};
    }

    Result<void> read_pods(Api& api) {
        const Resource pods{.version = "v1", .plural = "pods", .kind = "Pod", .is_namespaced = true};
        const auto items = list_items(api, {&pods, ""}, nullptr);
        if (!items) return pass_on(items);
        std::map<std::string, int> counts;
        for (const Item& item : *items) ++counts[text_at(member(item.object, "status"), "phase")];
        status_["pods"] = counts;
        return {};
    }

    Result<void> read_warnings(Api& api) {
        const auto list = api.ask({.path = "/api/v1/events", .query = {{"fieldSelector", "type=Warning"}}});
        if (!list) return pass_on(list);
        std::vector<Object> events = member(*list, "items");
        std::stable_sort(events.begin(), events.end(), [](const Object& a, const Object& b) {
            return text_at(a, "lastTimestamp") > text_at(b, "lastTimestamp");
        });
        status_["warnings"] = Object::array();
        for (std::size_t i = 0; i < events.size() && i < kShownWarnings; ++i) {
            const Object& about = member(events[i], "involvedObject");
            status_["warnings"].push_back(
                {{"at", text_at(events[i], "lastTimestamp")},
                 {"object",
                  text_at(about, "kind") + " " + text_at(about, "namespace") + "/" + text_at(about, "name")},
                 {"reason", text_at(events[i], "reason")},
                 {"message", text_at(events[i], "message")}});
        }
        return {};
    }

    // Only who may ask the admin API sees these; the rest is worth showing to others too.
    void read_admin(const Session& session) {
        ServerOptions options;
        const char* directory = std::getenv("KEELSON_DATA_DIR");
        if (directory != nullptr) options.data_directory = directory;
        if (!session.globals().data_directory.empty())
            options.data_directory = session.globals().data_directory;
        const auto server = find_server(options);
        if (!server) return;
        for (const auto& [name, path] :
             {std::pair{"plugins", "/v1/plugins"}, std::pair{"store", "/v1/store"}}) {
            const auto answer = call(*server, {.path = path});
            if (answer) status_[name] = Object::parse(answer->body, nullptr, false);
        }
    }

    void print_screen() const {
        std::string text = "Server    " + text_at(status_["server"], "version") + " at " +
                           text_at(status_["server"], "url") + "\n";
        int ready = 0;
        std::string others;
        for (const Object& node : status_["nodes"]) {
            if (text_at(node, "state") == "ready")
                ++ready;
            else
                others += "            " + text_at(node, "name") + " is " + text_at(node, "state") + "\n";
        }
        text += "Nodes     " + std::to_string(ready) + " of " + std::to_string(status_["nodes"].size()) +
                " ready\n" + others;
        text += "Pods      " + pods_text() + "\n" + admin_text();
        text += "Warnings  " + std::string(status_["warnings"].empty() ? "none\n" : "\n");
        for (const Object& warning : status_["warnings"])
            text += "            " + text_at(warning, "object") + ": " + text_at(warning, "reason") + ": " +
                    cell_text(member(warning, "message")) + "\n";
        print(printable_lines(text));
    }

    std::string pods_text() const {
        int all = 0;
        std::string text;
        for (const auto& [phase, count] : status_["pods"].items()) {
            all += count.get<int>();
            text += (text.empty() ? ": " : ", ") + count.dump() + " " + lower_case(phase);
        }
        return std::to_string(all) + text;
    }

    std::string admin_text() const {
        if (!status_.contains("plugins"))
            return "Plugins   not known here: the admin API does not answer (see --data-dir)\n";
        int good = 0;
        int all = 0;
        std::string bad;
        for (const Object& plugin : member(status_["plugins"], "items")) {
            const std::string state = text_at(plugin, "state");
            ++all;
            good += state == "ready" ? 1 : 0;
            if (state != "ready" && state != "disabled")
                bad += "            " + text_at(plugin, "name") + " is " + state + ": " +
                       text_at(plugin, "reason") + "\n";
        }
        std::string text =
            "Plugins   " + std::to_string(good) + " of " + std::to_string(all) + " ready\n" + bad;
        const Object& revision = member(member(status_, "store"), "revision");
        return text + "Store     revision " + (revision.is_null() ? "unknown" : revision.dump()) + "\n";
    }

    DocumentFlag document_;
    Object status_ = Object::object();
};

}  // namespace

void add_join_and_status_commands(Registry& registry) {
    registry.add(
        {"node", "Keelson Commands", "SUBCOMMAND [options]", "Machines of the cluster", "", nullptr});
    registry.add<JoinToken>("node join-token", "", "[--ttl DURATION] [options]",
                            "Make a token with which machines may join, and print the command for it");
    registry.add(
        {"cluster", "Keelson Commands", "SUBCOMMAND [options]", "The cluster as a whole", "", nullptr});
    registry.add<ClusterStatus>("cluster status", "", "[options]",
                                "Nodes, pods, plugins, store and warnings on one screen");
}

}  // namespace keelson::cli::kube

// keelctl cluster-info, version
#include <sys/utsname.h>

#include <nlohmann/json.hpp>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/printing.h"
#include "cli/kube/resources.h"
#include "cli/output.h"

namespace keelson::cli::kube {
namespace {

class ClusterInfo : public Command {
  public:
    void add_flags(Flags& /*flags*/) override {}

    Result<void> run(Session& session, const Words& /*words*/) override {
        const auto api = session.api();
        if (!api) return pass_on(api);
        const SelectFlags select{.labels = "kubernetes.io/cluster-service=true"};
        const auto types = session.discovery();
        if (!types) return pass_on(types);
        const auto services = (*types)->find_type("services");
        if (!services) return pass_on(services);
        const auto items = list_items(**api, {*services, "kube-system"}, &select);
        if (!items) return pass_on(items);
        print("Kubernetes control plane is running at " + (*api)->server().text() + "\n");
        for (const Item& item : *items) {
            const std::string name =
                text_at(member(item.object, {"metadata", "labels"}), "kubernetes.io/name");
            print((name.empty() ? item.name : name) + " is running at " + (*api)->server().text() +
                  item.path() + port_of(item.object) + "/proxy\n");
        }
        print("\nTo further debug and diagnose cluster problems, use 'keelctl cluster-info dump'.\n");
        return {};
    }

  private:
    static std::string port_of(const Object& service) {
        const Object& ports = member(service, {"spec", "ports"});
        if (!ports.is_array() || ports.empty() || text_at(ports.front(), "name").empty()) return "";
        return ":" + text_at(ports.front(), "name");
    }
};

Json client_version() {
    const std::string version = KEELSON_VERSION;
    const std::size_t dot = version.find('.');
    utsname machine{};
    ::uname(&machine);
    const std::string architecture = machine.machine;
    return {{"major", version.substr(0, dot)},
            {"minor", version.substr(dot + 1, version.find('.', dot + 1) - dot - 1)},
            {"gitVersion", "v" + version},
            {"gitCommit", ""},
            {"gitTreeState", "clean"},
            {"buildDate", ""},
            {"goVersion", "none"},
            {"compiler", "g++"},
            {"platform", "linux/" + (architecture == "x86_64"    ? "amd64"
                                     : architecture == "aarch64" ? "arm64"
                                                                 : architecture)}};
}

class Version : public Command {
  public:
    void add_flags(Flags& flags) override {
        flags.flag("client", is_client_only_, "Ask no server");
        add_document_flag(flags, document_);
    }

    Result<void> run(Session& session, const Words& words) override {
        if (!words.words.empty()) return misused("extra arguments: [" + words.words.front() + "]");
        if (auto good = document_.check(); !good) return good;
        Json versions = {{"clientVersion", client_version()}};
        Result<void> asked;
        if (!is_client_only_) asked = add_server(session, versions);
        print_versions(versions);
        return asked;
    }

  private:
    static Result<void> add_server(Session& session, Json& versions) {
        const auto api = session.api();
        if (!api) return pass_on(api);
        const auto answer = (*api)->send({.path = "/version"});
        if (!answer) return pass_on(answer);
        Json version = Json::parse(answer->body, nullptr, false);
        if (!version.is_object()) return fail("the server's version is no JSON object");
        versions["serverVersion"] = std::move(version);
        return {};
    }

    void print_versions(const Json& versions) const {
        if (document_.output == "json") {
            // In kubectl's order.
            print(versions.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
        } else if (document_.is_wanted()) {
            print(yaml_of_json(cli::text_of(versions)) + "\n");
        } else {
            print("Client Version: v" KEELSON_VERSION "\n");
            if (versions.contains("serverVersion"))
                print("Server Version: " + printable(text_of(versions["serverVersion"], "gitVersion")) +
                      "\n");
        }
    }

    bool is_client_only_ = false;
    DocumentFlag document_;
};

}  // namespace

void add_cluster_commands(Registry& registry) {
    registry.add<ClusterInfo>("cluster-info", "Cluster Management Commands", "",
                              "Tell where the cluster's services are");
    registry.add<Version>("version", "Other Commands", "[options]",
                          "Tell the versions of keelctl and the server",
                          "  keelctl version --client\n  keelctl version -o json");
}

}  // namespace keelson::cli::kube

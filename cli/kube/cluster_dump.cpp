// keelctl cluster-info dump
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/printing.h"
#include "cli/output.h"
#include "kernel/base/files.h"

namespace keelson::cli::kube {
namespace {

struct Dumped {
    const char* file;
    const char* root;  // of the API
    const char* type;
};
constexpr Dumped kOfNamespaces[] = {{"events", "/api/v1", "events"},
                                    {"replication-controllers", "/api/v1", "replicationcontrollers"},
                                    {"services", "/api/v1", "services"},
                                    {"daemonsets", "/apis/apps/v1", "daemonsets"},
                                    {"deployments", "/apis/apps/v1", "deployments"},
                                    {"replicasets", "/apis/apps/v1", "replicasets"},
                                    {"pods", "/api/v1", "pods"}};

class ClusterDump : public Command {
  public:
    void add_flags(Flags& flags) override {
        print_.output = "json";
        add_print_flags(flags, print_);
        flags.flag("A,all-namespaces", everywhere_, "Of all namespaces");
        flags.list("namespaces", namespaces_, "Of these namespaces; else kube-system and the one in use");
        flags.text("output-directory", directory_, "Into files of this directory; -: on standard output");
        flags.duration("pod-running-timeout", patience_, "Taken for the sake of scripts");
    }

    Result<void> run(Session& session, const Words& /*words*/) override {
        if (auto good = check_format(print_); !good) return good;
        if (directory_ == "-") directory_.clear();
        const auto found = session.api();
        if (!found) return pass_on(found);
        Api& api = **found;
        const auto nodes = api.ask({.path = "/api/v1/nodes"});
        if (!nodes) return pass_on(nodes);
        if (auto written = write_object("nodes", *nodes); !written) return written;
        const auto namespaces = chosen_namespaces(session, api);
        if (!namespaces) return pass_on(namespaces);
        for (const std::string& name : *namespaces)
            if (auto dumped = dump(api, name); !dumped) return dumped;
        if (!directory_.empty()) print("Cluster info dumped to " + directory_ + "\n");
        return {};
    }

  private:
    Result<std::vector<std::string>> chosen_namespaces(Session& session, Api& api) const {
        std::vector<std::string> names = namespaces_;
        if (everywhere_) {
            names.clear();
            const auto all = api.ask({.path = "/api/v1/namespaces"});
            if (!all) return pass_on(all);
            for (const Object& one : member(*all, "items")) names.push_back(name_of(one));
        } else if (names.empty()) {
            const auto own = session.namespace_name();
            if (!own) return pass_on(own);
            names = {"kube-system", *own};
        }
        return names;
    }

    Result<void> dump(Api& api, const std::string& name) const {
        Object pods;
        for (const Dumped& one : kOfNamespaces) {
            auto list = api.ask(
                {.path = std::string(one.root) + "/namespaces/" + encode_segment(name) + "/" + one.type});
            if (!list) return pass_on(list);
            if (auto written = write_object(name + "/" + one.file, *list); !written) return written;
            if (std::string_view(one.type) == "pods") pods = std::move(*list);
        }
        for (const Object& pod : member(pods, "items"))
            if (auto written = write(name + "/" + name_of(pod) + "/logs", ".txt", logs_of(api, pod));
                !written)
                return written;
        return {};
    }

    // A log that cannot be read is told of in its place.
    static std::string logs_of(Api& api, const Object& pod) {
        std::string text;
        const std::string path = "/api/v1/namespaces/" + encode_segment(namespace_of(pod)) + "/pods/" +
                                 encode_segment(name_of(pod)) + "/log";
        for (const Object& container : member(pod, {"spec", "containers"})) {
            const std::string name = text_at(container, "name");
            const std::string where = " logs for container " + name + " of pod " + namespace_of(pod) + "/" +
                                      name_of(pod) + " ====\n";
            const auto log = api.send({.path = path, .query = {{"container", name}}, .accept = "*/*"});
            text += "==== START" + where;
            if (log)
                text += log->body;
            else
                text += "Request log error: " +
                        (log.error().refusal ? log.error().refusal->message : log.error().message) + "\n";
            text += "==== END" + where;
        }
        return text;
    }

    Result<void> write_object(const std::string& name, const Object& object) const {
        const auto text = format_object(print_, object);
        if (!text) return pass_on(text);
        const char* extension = print_.output == "json"   ? ".json"
                                : print_.output == "yaml" ? ".yaml"
                                                          : ".txt";
        return write(name, extension, *text);
    }

    Result<void> write(const std::string& name, const char* extension, const std::string& text) const {
        if (directory_.empty()) {
            print(text);
            return {};
        }
        const auto file = std::filesystem::path(directory_) / (name + extension);
        std::error_code error;
        std::filesystem::create_directories(file.parent_path(), error);
        if (error) return fail("mkdir " + file.parent_path().string() + ": " + error.message());
        if (const auto written = base::write_file_atomic(file.string(), text); !written)
            return fail(written.error().message());
        return {};
    }

    PrintFlags print_;
    bool everywhere_ = false;
    std::vector<std::string> namespaces_;
    std::string directory_;
    std::int64_t patience_ = 20'000'000'000;
};

}  // namespace

void add_cluster_dump_command(Registry& registry) {
    registry.add<ClusterDump>("cluster-info dump", "", "[options]",
                              "Print what helps to find out what is wrong with a cluster",
                              "  keelctl cluster-info dump --output-directory=dump\n"
                              "  keelctl cluster-info dump --all-namespaces");
}

}  // namespace keelson::cli::kube

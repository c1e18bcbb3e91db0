// keelctl config: what shows kubeconfigs.
#include <algorithm>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/kubeconfig_files.h"
#include "cli/kube/printing.h"
#include "cli/kube/table.h"
#include "cli/output.h"
#include "kernel/base/base64.h"
#include "kernel/base/files.h"

namespace keelson::cli::kube {
namespace {

Result<Object> merged(Session& session) {
    return load_kubeconfig(kubeconfig_paths(session.globals()));
}

std::vector<std::string> sorted_names(const Object& kubeconfig, const char* list) {
    std::vector<std::string> names;
    if (member(kubeconfig, list).is_array())
        for (const Object& entry : member(kubeconfig, list)) names.push_back(text_at(entry, "name"));
    std::sort(names.begin(), names.end());
    return names;
}

void hide(Object& entry, std::initializer_list<const char*> names, const char* instead) {
    for (const char* name : names)
        if (entry.is_object() && entry.contains(name)) entry[name] = instead;
}

class View : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_print_flags(flags, print_);
        flags.flag("raw", is_raw_, "Secrets and certificates too");
        flags.flag("minify", is_minified_, "Only what the context in use needs");
        flags.flag("flatten", is_flat_, "Put the content of files in the place of their names");
        flags.flag("merge", ignored_, "Taken for the sake of scripts").is_hidden = true;
    }

    Result<void> run(Session& session, const Words& words) override {
        if (!words.words.empty()) return misused("unexpected arguments: [" + words.words.front() + "]");
        auto kubeconfig = merged(session);
        if (!kubeconfig) return pass_on(kubeconfig);
        if (is_minified_)
            if (auto done = minify(*kubeconfig, session.globals().context); !done) return done;
        if (is_flat_)
            if (auto done = flatten(*kubeconfig); !done) return done;
        for (const char* list : {"clusters", "contexts", "users"}) {
            sort_entries((*kubeconfig)[list]);
            if ((*kubeconfig)[list].empty()) (*kubeconfig)[list] = nullptr;
        }
        if (!is_raw_) hide_secrets(*kubeconfig);
        if (print_.output.empty() && print_.template_text.empty()) print_.output = "yaml";
        return print_objects(print_, {std::move(*kubeconfig)}, true);
    }

  private:
    static void hide_secrets(Object& kubeconfig) {
        if (kubeconfig["clusters"].is_array())
            for (Object& entry : kubeconfig["clusters"])
                hide(entry["cluster"], {"certificate-authority-data"}, "DATA+OMITTED");
        if (!kubeconfig["users"].is_array()) return;
        for (Object& entry : kubeconfig["users"]) {
            hide(entry["user"], {"client-certificate-data", "client-key-data"}, "DATA+OMITTED");
            hide(entry["user"], {"token", "password"}, "REDACTED");
        }
    }

    static Result<void> minify(Object& kubeconfig, const std::string& wanted) {
        const std::string name = wanted.empty() ? text_at(kubeconfig, "current-context") : wanted;
        if (name.empty()) return fail("current-context must exist in order to minify");
        const Object context = named_entry(kubeconfig, "contexts", name);
        if (context.is_null()) return fail("cannot locate context " + name);
        const auto keep = [&](const char* list, const std::string& kept) {
            Object only = Object::array();
            for (const Object& entry : kubeconfig[list])
                if (text_at(entry, "name") == kept) only.push_back(entry);
            kubeconfig[list] = only;
        };
        keep("contexts", name);
        keep("clusters", text_at(context, "cluster"));
        keep("users", text_at(context, "user"));
        kubeconfig["current-context"] = name;
        return {};
    }

    static Result<void> embed(Object& entry, const std::string& name) {
        const std::string path = text_at(entry, name);
        if (path.empty()) return {};
        const auto text = base::read_file(path);
        if (!text) return fail(text.error().message());
        entry.erase(name);
        entry[name + "-data"] = base::base64_encode(*text);
        return {};
    }

    static Result<void> flatten(Object& kubeconfig) {
        for (Object& entry : kubeconfig["clusters"])
            if (auto done = embed(entry["cluster"], "certificate-authority"); !done) return done;
        for (Object& entry : kubeconfig["users"])
            for (const char* name : {"client-certificate", "client-key"})
                if (auto done = embed(entry["user"], name); !done) return done;
        return {};
    }

    PrintFlags print_;
    bool is_raw_ = false;
    bool is_minified_ = false;
    bool is_flat_ = false;
    bool ignored_ = true;
};

class CurrentContext : public Command {
  public:
    void add_flags(Flags& /*flags*/) override {}
    Result<void> run(Session& session, const Words& /*words*/) override {
        const auto kubeconfig = merged(session);
        if (!kubeconfig) return pass_on(kubeconfig);
        const std::string name = text_at(*kubeconfig, "current-context");
        if (name.empty()) return fail("current-context is not set");
        print(name + "\n");
        return {};
    }
};

class GetContexts : public Command {
  public:
    void add_flags(Flags& flags) override {
        flags.flag("no-headers", has_no_headers_, "Leave the line of headings out");
        flags.text("o,output", output_, "name: one name a line");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (!output_.empty() && output_ != "name")
            return fail("output must be one of '' or 'name': " + output_);
        const auto kubeconfig = merged(session);
        if (!kubeconfig) return pass_on(kubeconfig);
        Failures failures;
        std::vector<std::string> names =
            words.words.empty() ? sorted_names(*kubeconfig, "contexts") : words.words;
        Columns columns;
        if (!has_no_headers_) columns.add({"CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"});
        for (const std::string& name : names) {
            const Object& context = named_entry(*kubeconfig, "contexts", name);
            if (context.is_null())
                failures.add({"context " + name + " not found"});
            else if (output_ == "name")
                print(name + "\n");
            else
                columns.add({name == text_at(*kubeconfig, "current-context") ? "*" : "", name,
                             text_at(context, "cluster"), text_at(context, "user"),
                             text_at(context, "namespace")});
        }
        if (output_.empty()) print(columns.take());
        return failures.result();
    }

  private:
    bool has_no_headers_ = false;
    std::string output_;
};

// get-clusters and get-users
class GetNames : public Command {
  public:
    explicit GetNames(const char* list) : list_(list) {}
    void add_flags(Flags& /*flags*/) override {}
    Result<void> run(Session& session, const Words& /*words*/) override {
        const auto kubeconfig = merged(session);
        if (!kubeconfig) return pass_on(kubeconfig);
        print("NAME\n");
        for (const std::string& name : sorted_names(*kubeconfig, list_)) print(name + "\n");
        return {};
    }

  private:
    const char* list_;
};

}  // namespace

void add_config_view_commands(Registry& registry) {
    registry.add({"config", "Settings Commands", "SUBCOMMAND [options]", "Read and change kubeconfig files",
                  "", nullptr});
    registry.add<View>("config view", "", "[flags] [options]", "Show what the kubeconfig files come to");
    registry.add<CurrentContext>("config current-context", "", "", "Print the name of the context in use");
    registry.add<GetContexts>("config get-contexts", "", "[(-o|--output=)name)] [options]", "List contexts");
    registry.add({"config get-clusters", "", "", "List clusters", "",
                  [] { return std::make_unique<GetNames>("clusters"); }});
    registry.add(
        {"config get-users", "", "", "List users", "", [] { return std::make_unique<GetNames>("users"); }});
}

}  // namespace keelson::cli::kube

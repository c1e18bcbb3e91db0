// keelctl config: what changes kubeconfigs.
#include <filesystem>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/kubeconfig_files.h"
#include "cli/output.h"
#include "kernel/base/base64.h"
#include "kernel/base/files.h"

namespace keelson::cli::kube {
namespace {

// What all of them do: read, change, write, say what was done.
class Change : public Command {
  public:
    void add_flags(Flags& /*flags*/) override {}

    Result<void> run(Session& session, const Words& words) override {
        if (words.words.size() < least_ || words.words.size() > most_)
            return misused("unexpected arguments: [" + joined(words.words) + "]");
        auto files = KubeconfigFiles::load(session.globals());
        if (!files) return pass_on(files);
        const auto said = change(*files, words.words);
        if (!said) return pass_on(said);
        if (auto saved = files->save(); !saved) return saved;
        print(*said);
        return {};
    }

  protected:
    Change(std::size_t least, std::size_t most) : least_(least), most_(most) {}
    // The line that tells of it.
    virtual Result<std::string> change(KubeconfigFiles& files, const std::vector<std::string>& words) = 0;

    static std::string joined(const std::vector<std::string>& words) {
        std::string text;
        for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
        return text;
    }

    // Flags that were given go into the entry; empty ones take the member out.
    void put(Object& entry, const char* flag, const std::string& value, const char* name = nullptr) const {
        if (!flags().was_given(flag)) return;
        if (value.empty())
            entry.erase(name == nullptr ? flag : name);
        else
            entry[name == nullptr ? flag : name] = value;
    }

    // The path, or with --embed-certs what is in the file.
    Result<void> put_file(Object& entry, const char* flag, const std::string& path, bool embeds) const {
        if (!flags().was_given(flag)) return {};
        entry.erase(std::string(flag) + "-data");
        entry.erase(flag);
        if (path.empty()) return {};
        if (!embeds) {
            entry[flag] = std::filesystem::absolute(path).lexically_normal().string();
            return {};
        }
        const auto text = base::read_file(path);
        if (!text)
            return fail("could not read " + std::string(flag) + " data from " + path + ": " +
                        text.error().message());
        entry[std::string(flag) + "-data"] = base::base64_encode(*text);
        return {};
    }

  private:
    std::size_t least_, most_;
};

class UseContext : public Change {
  public:
    UseContext() : Change(1, 1) {}
    Result<std::string> change(KubeconfigFiles& files, const std::vector<std::string>& words) override {
        if (!files.has("contexts", words[0]))
            return fail("no context exists with the name: \"" + words[0] + "\"");
        files.set_current_context(words[0]);
        return "Switched to context \"" + words[0] + "\".\n";
    }
};

class SetContext : public Change {
  public:
    SetContext() : Change(0, 1) {}
    void add_flags(Flags& flags) override {
        flags.flag("current", is_current_, "Change the context in use");
        flags.text("cluster", cluster_, "The context's cluster");
        flags.text("user", user_, "The context's user");
        flags.text("n,namespace", namespace_, "The context's namespace");
    }
    Result<std::string> change(KubeconfigFiles& files, const std::vector<std::string>& words) override {
        if (words.empty() != is_current_)
            return fail(words.empty() ? "you must specify a non-empty context name or --current"
                                      : "you cannot specify both a context name and --current");
        const std::string name = is_current_ ? files.current_context() : words[0];
        if (name.empty()) return fail("no current context is set");
        const bool was_there = files.has("contexts", name);
        Object& entry = files.entry("contexts", name);
        put(entry, "cluster", cluster_);
        put(entry, "user", user_);
        put(entry, "namespace", namespace_);
        return "Context \"" + name + "\" " + (was_there ? "modified" : "created") + ".\n";
    }

  private:
    bool is_current_ = false;
    std::string cluster_, user_, namespace_;
};

class SetCluster : public Change {
  public:
    SetCluster() : Change(1, 1) {}
    void add_flags(Flags& flags) override {
        flags.text("server", server_, "Where the server answers, like https://HOST:6443");
        flags.text("tls-server-name", tls_server_name_, "The name that the server's certificate must be for");
        flags.text("certificate-authority", authority_,
                   "A file with the authority of the server's certificate");
        flags.flag("insecure-skip-tls-verify", is_insecure_, "Never check the server's certificate");
        flags.flag("embed-certs", embeds_, "Put the certificate into the kubeconfig instead of its path");
        flags.text("proxy-url", proxy_, "The proxy on the way to the server");
    }
    Result<std::string> change(KubeconfigFiles& files, const std::vector<std::string>& words) override {
        Object& entry = files.entry("clusters", words[0]);
        put(entry, "server", server_);
        // What was said of another server's certificate is not meant for this one.
        if (flags().was_given("server")) entry.erase("insecure-skip-tls-verify");
        put(entry, "tls-server-name", tls_server_name_);
        put(entry, "proxy-url", proxy_);
        if (flags().was_given("insecure-skip-tls-verify")) entry["insecure-skip-tls-verify"] = is_insecure_;
        // A certificate is checked or it is not.
        if (is_insecure_) {
            entry.erase("certificate-authority");
            entry.erase("certificate-authority-data");
        }
        if (!authority_.empty()) entry.erase("insecure-skip-tls-verify");
        if (const auto done = put_file(entry, "certificate-authority", authority_, embeds_); !done)
            return pass_on(done);
        return "Cluster \"" + words[0] + "\" set.\n";
    }

  private:
    std::string server_, tls_server_name_, authority_, proxy_;
    bool is_insecure_ = false;
    bool embeds_ = false;
};

class SetCredentials : public Change {
  public:
    SetCredentials() : Change(1, 1) {}
    void add_flags(Flags& flags) override {
        flags.text("client-certificate", certificate_, "A file with the user's certificate");
        flags.text("client-key", key_, "A file with the user's key");
        flags.text("token", token_, "The user's token");
        flags.text("username", username_, "The user's name, to go with a password");
        flags.text("password", password_, "The user's password");
        flags.flag("embed-certs", embeds_,
                   "Put certificate and key into the kubeconfig instead of their paths");
        flags.text("exec-command", command_, "A program that gives the user's credentials");
        flags.text("exec-api-version", api_version_, "Which API version that program speaks");
        flags.array("exec-arg", arguments_, "What that program is called with");
        flags.array("exec-env", environment_, "NAME=VALUE in that program's environment");
    }
    Result<std::string> change(KubeconfigFiles& files, const std::vector<std::string>& words) override {
        Object& entry = files.entry("users", words[0]);
        if (flags().was_given("token") && (flags().was_given("username") || flags().was_given("password")))
            return fail(
                "you cannot specify more than one authentication method at the same time: token and "
                "basicAuth");
        put(entry, "token", token_);
        put(entry, "username", username_);
        put(entry, "password", password_);
        // One takes the place of the other.
        if (!token_.empty()) {
            entry.erase("username");
            entry.erase("password");
        }
        if (!username_.empty() || !password_.empty()) entry.erase("token");
        if (const auto done = put_file(entry, "client-certificate", certificate_, embeds_); !done)
            return pass_on(done);
        if (const auto done = put_file(entry, "client-key", key_, embeds_); !done) return pass_on(done);
        put_exec(entry);
        return "User \"" + words[0] + "\" set.\n";
    }

  private:
    void put_exec(Object& entry) const {
        if (!flags().was_given("exec-command")) return;
        Object& exec = entry["exec"];
        exec["command"] = command_;
        exec["apiVersion"] = api_version_;
        exec["provideClusterInfo"] = false;
        exec["args"] = arguments_;
        for (const std::string& pair : environment_)
            exec["env"].push_back(
                {{"name", pair.substr(0, pair.find('='))}, {"value", pair.substr(pair.find('=') + 1)}});
    }

    std::string certificate_, key_, token_, username_, password_, command_;
    std::string api_version_ = "client.authentication.k8s.io/v1";
    bool embeds_ = false;
    std::vector<std::string> arguments_, environment_;
};

class Remove : public Change {
  public:
    explicit Remove(const char* list) : Change(1, 1), list_(list) {}
    Result<std::string> change(KubeconfigFiles& files, const std::vector<std::string>& words) override {
        const std::string kind = list_.substr(0, list_.size() - 1);
        const std::string path = files.path_of(list_, words[0]);
        if (!files.remove(list_, words[0]))
            return fail("cannot delete " + kind + " " + words[0] + ", not in " + path);
        if (kind == "context" && files.current_context() == words[0])
            warn(
                "warning: this removed your active context, use \"keelctl config use-context\" to select a "
                "different one");
        return "deleted " + kind + " " + words[0] + " from " + path + "\n";
    }

  private:
    std::string list_;
};

class RenameContext : public Change {
  public:
    RenameContext() : Change(2, 2) {}
    Result<std::string> change(KubeconfigFiles& files, const std::vector<std::string>& words) override {
        if (!files.has("contexts", words[0]))
            return fail("cannot rename the context \"" + words[0] + "\", it's not in " +
                        files.default_path());
        if (files.has("contexts", words[1]))
            return fail("cannot rename the context \"" + words[0] + "\", the context \"" + words[1] +
                        "\" already exists in " + files.path_of("contexts", words[1]));
        files.rename_context(words[0], words[1]);
        return "Context \"" + words[0] + "\" renamed to \"" + words[1] + "\".\n";
    }
};

// "clusters.NAME.server"; names may have dots when there is such an entry.
struct Property {
    std::string list, name, member;
};

Result<Property> read_property(const KubeconfigFiles& files, const std::string& text) {
    if (text == "current-context") return Property{"", "", text};
    const std::size_t first = text.find('.');
    Property property{text.substr(0, first), "", ""};
    if (property.list != "clusters" && property.list != "contexts" && property.list != "users")
        return fail("there is no property \"" + text +
                    "\": give current-context, clusters.NAME.MEMBER, "
                    "contexts.NAME.MEMBER or users.NAME.MEMBER");
    if (first == std::string::npos) return property;
    const std::string rest = text.substr(first + 1);
    for (std::size_t end = rest.size(); end != std::string::npos; end = rest.rfind('.', end - 1)) {
        if (files.has(property.list, rest.substr(0, end))) {
            property.name = rest.substr(0, end);
            property.member = end < rest.size() ? rest.substr(end + 1) : "";
            return property;
        }
        if (end == 0) break;
    }
    const std::size_t dot = rest.find('.');
    property.name = rest.substr(0, dot);
    property.member = dot == std::string::npos ? "" : rest.substr(dot + 1);
    return property;
}

Object value_of(const std::string& member, const std::string& text, bool is_raw) {
    if (member == "insecure-skip-tls-verify" || member == "disable-compression") return text == "true";
    if (member.ends_with("-data") && is_raw) return base::base64_encode(text);
    return text;
}

class Set : public Change {
  public:
    Set() : Change(2, 2) {}
    void add_flags(Flags& flags) override {
        flags.flag("set-raw-bytes", is_raw_, "The value of a -data property is plain, not base64");
    }
    Result<std::string> change(KubeconfigFiles& files, const std::vector<std::string>& words) override {
        const auto property = read_property(files, words[0]);
        if (!property) return pass_on(property);
        if (property->list.empty())
            files.set_current_context(words[1]);
        else if (property->member.empty())
            return fail("\"" + words[0] + "\" is no single value: name a member of the entry");
        else
            files.entry(property->list, property->name)[property->member] =
                value_of(property->member, words[1], is_raw_);
        return "Property \"" + words[0] + "\" set.\n";
    }

  private:
    bool is_raw_ = false;
};

class Unset : public Change {
  public:
    Unset() : Change(1, 1) {}
    Result<std::string> change(KubeconfigFiles& files, const std::vector<std::string>& words) override {
        const auto property = read_property(files, words[0]);
        if (!property) return pass_on(property);
        if (property->list.empty())
            files.set_current_context("");
        else if (!property->member.empty() && !files.has(property->list, property->name))
            return fail("current map key `" + property->name + "` is invalid");
        else if (property->member.empty())
            files.remove(property->list, property->name);
        else
            files.entry(property->list, property->name).erase(property->member);
        return "Property \"" + words[0] + "\" unset.\n";
    }
};

}  // namespace

void add_config_change_commands(Registry& registry) {
    registry.add<UseContext>("config use-context", "", "CONTEXT_NAME [options]", "Choose the context in use");
    registry.add<SetContext>("config set-context", "",
                             "[NAME | --current] [--cluster=NAME] [--user=NAME] [--namespace=NAME]",
                             "Make or change a context");
    registry.add<SetCluster>("config set-cluster", "",
                             "NAME [--server=URL] [--certificate-authority=FILE] [options]",
                             "Make or change a cluster");
    registry.add<SetCredentials>("config set-credentials", "",
                                 "NAME [--client-certificate=FILE] [--token=TOKEN] [options]",
                                 "Make or change a user");
    for (const char* list : {"contexts", "clusters", "users"}) {
        const std::string kind = std::string(list).substr(0, std::string(list).size() - 1);
        registry.add({"config delete-" + kind, "", "NAME [options]", "Remove a " + kind, "",
                      [list] { return std::make_unique<Remove>(list); }});
    }
    registry.add<RenameContext>("config rename-context", "", "CONTEXT_NAME NEW_NAME [options]",
                                "Give a context another name");
    registry.add<Set>("config set", "", "PROPERTY_NAME PROPERTY_VALUE [options]", "Set one value");
    registry.add<Unset>("config unset", "", "PROPERTY_NAME [options]", "Clear one value");
}

}  // namespace keelson::cli::kube

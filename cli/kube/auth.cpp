// keelctl auth can-i, auth whoami
#include <algorithm>
#include <map>

#include "cli/kube/command.h"
#include "cli/kube/command_groups.h"
#include "cli/kube/printing.h"
#include "cli/kube/table.h"
#include "cli/output.h"

namespace keelson::cli::kube {
namespace {

std::string bracketed(const std::vector<std::string>& list) {
    std::string text;
    for (const std::string& one : list) text += (text.empty() ? "" : " ") + one;
    return "[" + text + "]";
}

std::vector<std::string> texts_at(const Object& object, std::string_view name) {
    std::vector<std::string> all;
    for (const Object& one : member(object, name))
        if (one.is_string()) all.push_back(one.get<std::string>());
    return all;
}

// One line of what somebody may do.
struct Rule {
    std::vector<std::string> verbs, groups, resources, names, urls;
    // What lines are sorted by.
    [[nodiscard]] std::string text() const {
        return bracketed(verbs) + bracketed(groups) + bracketed(resources) + bracketed(names) +
               bracketed(urls);
    }
};

// Rules of one resource each, of which those that differ in verbs only are one; and of one URL and verb each,
// as often as they are given: as kubectl lists them.
std::vector<Rule> single_rules(const Object& status) {
    std::vector<Rule> rules;
    const auto add = [&rules](Rule rule) {
        for (Rule& one : rules)
            if (one.groups == rule.groups && one.resources == rule.resources && one.names == rule.names &&
                one.urls == rule.urls) {
                for (const std::string& verb : rule.verbs)
                    if (std::find(one.verbs.begin(), one.verbs.end(), verb) == one.verbs.end())
                        one.verbs.push_back(verb);
                return;
            }
        rules.push_back(std::move(rule));
    };
    for (const Object& rule : member(status, "resourceRules"))
        for (const std::string& group : texts_at(rule, "apiGroups"))
            for (const std::string& resource : texts_at(rule, "resources")) {
                std::vector<std::string> names = texts_at(rule, "resourceNames");
                if (names.empty()) add({texts_at(rule, "verbs"), {group}, {resource}, {}, {}});
                for (const std::string& name : names)
                    add({texts_at(rule, "verbs"), {group}, {resource}, {name}, {}});
            }
    for (const Object& rule : member(status, "nonResourceRules"))
        for (const std::string& url : texts_at(rule, "nonResourceURLs"))
            for (const std::string& verb : texts_at(rule, "verbs"))
                rules.push_back({{verb}, {}, {}, {}, {url}});
    std::stable_sort(rules.begin(), rules.end(),
                     [](const Rule& a, const Rule& b) { return a.text() < b.text(); });
    return rules;
}

class CanI : public Command {
  public:
    void add_flags(Flags& flags) override {
        flags.flag("A,all-namespaces", everywhere_, "Ask for all namespaces");
        flags.flag("q,quiet", is_quiet_, "Say nothing: the exit code is the answer");
        flags.text("subresource", subresource_,
                   "A part of the object that has an address, such as log or scale");
        flags.flag("list", lists_, "All that may be done");
        flags.flag("no-headers", has_no_headers_, "Leave the line of headings out");
    }

    Result<void> run(Session& session, const Words& words) override {
        const auto name = session.namespace_name();
        if (!name) return pass_on(name);
        namespace_ = everywhere_ ? "" : *name;
        const auto api = session.api();
        if (!api) return pass_on(api);
        if (lists_) return list(**api);
        if (words.words.size() < 2 || words.words.size() > 3)
            return tl::unexpected(
                whole("error: you must specify two arguments: verb resource or verb "
                      "resource/resourceName.\nSee 'keelctl auth can-i -h' for help and examples."));
        auto spec = read_question(session, words.words);
        if (!spec) return pass_on(spec);
        const auto answer = (*api)->ask({.method = "POST",
                                         .path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                                         .body = compact({{"apiVersion", "authorization.k8s.io/v1"},
                                                          {"kind", "SelfSubjectAccessReview"},
                                                          {"spec", *spec}})});
        if (!answer) return pass_on(answer);
        return tell(member(*answer, "status"));
    }

  private:
    Result<Object> read_question(Session& session, const std::vector<std::string>& words) {
        const std::string& verb = words[0];
        if (words[1].starts_with('/'))
            return Object{{"nonResourceAttributes", {{"verb", verb}, {"path", words[1]}}}};
        const std::size_t slash = words[1].find('/');
        const std::string type = words[1].substr(0, slash);
        Object attributes = {
            {"verb", verb}, {"resource", type}, {"subresource", subresource_}, {"namespace", namespace_}};
        attributes["name"] = slash != std::string::npos ? words[1].substr(slash + 1)
                             : words.size() > 2         ? words[2]
                                                        : "";
        if (type == "*") return Object{{"resourceAttributes", attributes}};
        const auto types = session.discovery();
        if (!types) return pass_on(types);
        const auto resource = (*types)->find_type(type);
        if (!resource) {
            const std::size_t dot = type.find('.');
            attributes["resource"] = type.substr(0, dot);
            attributes["group"] = dot == std::string::npos ? "" : type.substr(dot + 1);
            warn("Warning: the server doesn't have a resource type '" + type + "'\n");
            return Object{{"resourceAttributes", attributes}};
        }
        attributes["resource"] = (*resource)->plural;
        attributes["group"] = (*resource)->group;
        if (!(*resource)->is_namespaced && !everywhere_) {
            const std::string group =
                (*resource)->group.empty() ? "" : " in group '" + (*resource)->group + "'";
            warn("Warning: resource '" + (*resource)->plural + "' is not namespace scoped" + group + "\n");
            attributes["namespace"] = "";
        }
        return Object{{"resourceAttributes", attributes}};
    }

    Result<void> tell(const Object& status) const {
        const bool is_allowed = member(status, "allowed") == Object(true);
        // As kubectl: only a refusal has reasons.
        std::string text = is_allowed ? "yes" : "no";
        for (const std::string_view field : {"reason", "evaluationError"})
            if (const std::string why = text_at(status, field); !is_allowed && !why.empty())
                text += " - " + why;
        if (!is_quiet_) print(text + "\n");
        if (is_allowed) return {};
        return tl::unexpected(silent(exit_failure));
    }

    Result<void> list(Api& api) const {
        const auto answer = api.ask({.method = "POST",
                                     .path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
                                     .body = compact({{"apiVersion", "authorization.k8s.io/v1"},
                                                      {"kind", "SelfSubjectRulesReview"},
                                                      {"spec", {{"namespace", namespace_}}}})});
        if (!answer) return pass_on(answer);
        const Object& status = member(*answer, "status");
        if (member(status, "incomplete") == Object(true))
            warn("Warning: the list may be incomplete: " + text_at(status, "evaluationError"));
        Columns columns;
        if (!has_no_headers_) columns.add({"Resources", "Non-Resource URLs", "Resource Names", "Verbs"});
        for (const Rule& rule : single_rules(member(*answer, "status"))) {
            std::string resource = rule.resources.empty() ? "" : rule.resources.front();
            if (!rule.groups.empty() && !rule.groups.front().empty() && !resource.empty())
                resource += "." + rule.groups.front();
            columns.add({resource, bracketed(rule.urls), bracketed(rule.names), bracketed(rule.verbs)});
        }
        print(columns.take());
        return {};
    }

    std::string namespace_;
    bool everywhere_ = false;
    bool is_quiet_ = false;
    std::string subresource_;
    bool lists_ = false;
    bool has_no_headers_ = false;
};

class WhoAmI : public Command {
  public:
    void add_flags(Flags& flags) override { add_print_flags(flags, print_); }

    Result<void> run(Session& session, const Words& /*words*/) override {
        const auto api = session.api();
        if (!api) return pass_on(api);
        const auto answer = (*api)->ask(
            {.method = "POST",
             .path = "/apis/authentication.k8s.io/v1/selfsubjectreviews",
             .body = compact({{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "SelfSubjectReview"}})});
        if (!answer) return pass_on(answer);
        if (!print_.is_for_people()) return print_objects(print_, {*answer}, true);
        const Object& user = member(*answer, {"status", "userInfo"});
        Columns columns;
        columns.add({"ATTRIBUTE", "VALUE"});
        if (!text_at(user, "username").empty()) columns.add({"Username", text_at(user, "username")});
        if (!text_at(user, "uid").empty()) columns.add({"UID", text_at(user, "uid")});
        if (!member(user, "groups").empty()) columns.add({"Groups", bracketed(texts_at(user, "groups"))});
        if (member(user, "extra").is_object())
            for (const auto& [name, value] : member(user, "extra").items())
                columns.add({"Extra: " + name, bracketed(texts_at(member(user, "extra"), name))});
        print(columns.take());
        return {};
    }

  private:
    PrintFlags print_;
};

}  // namespace

void add_auth_commands(Registry& registry) {
    registry.add({"auth", "Other Commands", "[flags]", "Who one is and what one may do", "", nullptr});
    registry.add<CanI>("auth can-i", "", "VERB [TYPE | TYPE/NAME | NONRESOURCEURL] [options]",
                       "Ask if something may be done",
                       "  keelctl auth can-i create pods -A\n  keelctl auth can-i --list -n foo");
    registry.add<WhoAmI>("auth whoami", "", "[options]", "Tell as whom the server knows the caller");
}

}  // namespace keelson::cli::kube

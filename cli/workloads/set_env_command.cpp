// keelctl set env
#include <algorithm>
#include <cctype>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/kube/failures.h"
#include "cli/output.h"
#include "cli/workloads/command_groups.h"
#include "cli/workloads/env_values.h"
#include "cli/workloads/pod_specs.h"
#include "cli/workloads/set_command.h"
#include "kernel/object/names.h"

namespace keelson::cli::kube {
namespace {

struct Changes {
    std::vector<std::string> objects;
    std::vector<Object> set;  // variables
    std::vector<std::string> removed;
};

// The key in capital letters, with "_" for what variables may not have; told when it is another.
std::string variable_for(const std::string& key) {
    std::string name = key;
    for (char& letter : name) {
        const auto byte = static_cast<unsigned char>(letter);
        letter = std::isalnum(byte) != 0 ? static_cast<char>(std::toupper(byte)) : '_';
    }
    if (name != key) warn("Warning: key " + key + " transferred to " + name);
    return name;
}

void tell_unresolved(const std::set<std::string>& variables, const std::string& why) {
    std::string names;
    for (const std::string& name : variables) names += (names.empty() ? "" : ", ") + name;
    warn("error retrieving reference for " + names + ": " + why);
}

class SetEnv final : public SetCommand {
    void add_own_flags(Flags& flags) override {
        flags.text("c,containers", containers_, "Only in containers of this name; * stands for anything");
        flags.array("e,env", variables_, "NAME=VALUE to set in each container");
        flags.text("from", from_, "Variables for all keys of this: configmap/NAME or secret/NAME");
        flags.list("keys", keys_, "With --from: only these keys");
        flags.text("prefix", prefix_, "With --from: what the names of the variables begin with");
        flags.flag("list", lists_, "Print the variables and change nothing");
        flags.flag("resolve", resolves_,
                   "With --list: the values of ConfigMaps, Secrets and fields instead of their names");
        flags.flag("overwrite", overwrites_, "Also when there is one already");
    }

    Result<void> run(Session& session, const Words& words) override {
        auto changes = read_changes(words.words);
        if (!changes) return pass_on(changes);
        if (!has_objects(changes->objects))
            return fail("one or more resources must be specified as <resource> <name> or <resource>/<name>");
        if (lists_ && !print_.output.empty())
            return fail("--list and --output may not be specified together");
        if (!keys_.empty() && from_.empty())
            return fail("when specifying --keys, a configmap or secret must be provided with --from");
        if (!from_.empty())
            if (auto imported = import(session, *changes); !imported) return imported;
        if (lists_) return list_each(session, *changes);
        return change_each(session, changes->objects, "env updated",
                           [&](Item& item) { return change(item, *changes); });
    }

    Result<Changes> read_changes(const std::vector<std::string>& words) {
        Changes changes;
        std::vector<std::string> all = words;
        all.insert(all.end(), variables_.begin(), variables_.end());
        for (const std::string& word : all) {
            const std::size_t equals = word.find('=');
            if (word == "-") {
                if (auto read = read_input(changes); !read) return pass_on(read);
            } else if (equals != std::string::npos && equals > 0) {
                const std::string name = word.substr(0, equals);
                if (!object::is_environment_name(name).empty())
                    return fail("\"" + name + "\" is not a valid key name: " +
                                object::join_messages(object::is_environment_name(name)));
                changes.set.push_back({{"name", name}, {"value", word.substr(equals + 1)}});
            } else if (word.ends_with('-')) {
                changes.removed.push_back(word.substr(0, word.size() - 1));
            } else {
                changes.objects.push_back(word);
            }
        }
        for (const std::string& name : changes.removed)
            for (const Object& variable : changes.set)
                if (text_at(variable, "name") == name)
                    return fail(
                        "can not both modify and remove the same environment variable in the same command");
        return changes;
    }

    // Lines of standard input.
    static Result<void> read_input(Changes& changes) {
        for (std::string line; std::getline(std::cin, line);) {
            const std::size_t equals = line.find('=');
            if (line.empty() || line.front() == '#') continue;
            if (equals == std::string::npos)
                return fail("environment variables must be of the form key=value: " + line);
            changes.set.push_back({{"name", line.substr(0, equals)}, {"value", line.substr(equals + 1)}});
        }
        return {};
    }

    // A reference for each key of a config map or secret.
    Result<void> import(Session& session, Changes& changes) const {
        const std::vector<std::string> words{from_};
        return for_each_object(session, {words}, [&](Item& item) -> Result<void> {
            const std::string& kind = item.resource->kind;
            if (kind != "ConfigMap" && kind != "Secret")
                return fail("unsupported resource specified in --from");
            const Object& data = member(item.object, "data");
            for (const auto& [key, value] : data.items()) {
                const bool is_wanted =
                    keys_.empty() || std::find(keys_.begin(), keys_.end(), key) != keys_.end();
                if (!is_wanted) continue;
                changes.set.push_back({{"name", prefix_ + variable_for(key)},
                                       {"valueFrom",
                                        {{kind == "ConfigMap" ? "configMapKeyRef" : "secretKeyRef",
                                          {{"name", item.name}, {"key", key}}}}}});
            }
            return {};
        });
    }

    Result<void> change(Item& item, const Changes& changes) const {
        const auto spec = need_pod_spec(item);
        if (!spec) return pass_on(spec);
        const auto containers = matching_containers(**spec, containers_);
        if (containers.empty())
            warn("Warning: " + item.resource->kind + "/" + item.name +
                 " does not have any containers matching \"" + containers_ + "\"");
        for (Object* container : containers) {
            Object env = container->contains("env") ? (*container)["env"] : Object::array();
            if (auto set = set_variables(item.object, env, changes.set); !set) return set;
            for (const std::string& name : changes.removed)
                for (auto one = env.begin(); one != env.end();)
                    one = text_at(*one, "name") == name ? env.erase(one) : one + 1;
            if (env.empty())
                container->erase("env");
            else
                (*container)["env"] = env;
        }
        return {};
    }

    Result<void> set_variables(const Object& object, Object& env,
                               const std::vector<Object>& variables) const {
        for (const Object& variable : variables) {
            const auto old = std::find_if(env.begin(), env.end(), [&](const Object& one) {
                return text_at(one, "name") == text_at(variable, "name");
            });
            if (old == env.end()) {
                env.push_back(variable);
            } else if (!overwrites_) {
                return fail(lower_case(text_at(object, "kind")) + "s/" + name_of(object) + " '" +
                            text_at(variable, "name") + "' already has a value (" + text_at(*old, "value") +
                            "), and --overwrite is false");
            } else {
                *old = variable;
            }
        }
        return {};
    }

    Result<void> list_each(Session& session, const Changes& changes) {
        EnvValues values(session);
        return for_each_chosen(session, changes.objects, [&](Item& item) -> Result<void> {
            if (find_pod_spec(item.object) == nullptr) return {};
            if (auto changed = change(item, changes); !changed) return changed;
            for (const Object* container : matching_containers(*find_pod_spec(item.object), containers_)) {
                print("# " + item.resource->kind + " " + item.name + ", container " +
                      text_at(*container, "name") + "\n");
                print_variables(item.object, *container, values);
            }
            return {};
        });
    }

    void print_variables(const Object& object, const Object& container, EnvValues& values) const {
        std::map<std::string, std::set<std::string>> unresolved;  // names by what is wrong
        for (const Object& variable : member(container, "env")) {
            const std::string name = text_at(variable, "name");
            const Object& from = member(variable, "valueFrom");
            if (!from.is_object()) {
                print(name + "=" + text_at(variable, "value") + "\n");
                continue;
            }
            const Result<std::string> value =
                resolves_ ? values.resolve(from, object, container) : Result<std::string>(fail(""));
            if (value) {
                print(name + "=" + *value + "\n");
                continue;
            }
            print("# " + name + " from " + source_of_value(from) + "\n");
            unresolved[value.error().message].insert(name);
        }
        if (!resolves_) return;
        for (const auto& [why, names] : unresolved) tell_unresolved(names, why);
    }

    std::string containers_ = "*";
    std::vector<std::string> variables_, keys_;
    std::string from_, prefix_;
    bool lists_ = false;
    bool resolves_ = false;
    bool overwrites_ = true;
};

}  // namespace

void add_set_env_command(Registry& registry) {
    registry.add<SetEnv>("set env", "", "RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N [options]",
                         "The environment of containers", "  keelctl set env deployment/web COLOR=blue OLD-");
}

}  // namespace keelson::cli::kube

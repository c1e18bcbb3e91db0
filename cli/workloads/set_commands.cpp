// keelctl set image, resources, serviceaccount, selector
#include <nlohmann/json.hpp>

#include "cli/workloads/command_groups.h"
#include "cli/workloads/generator.h"
#include "cli/workloads/label_selector.h"
#include "cli/workloads/pod_specs.h"
#include "cli/workloads/set_command.h"

namespace keelson::cli::kube {
namespace {

// Words with "=" are changes, the others name objects.
struct Split {
    std::vector<std::string> objects;
    std::vector<std::pair<std::string, std::string>> changes;
};

Split split_words(const std::vector<std::string>& words) {
    Split split;
    for (const std::string& word : words) {
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos)
            split.objects.push_back(word);
        else
            split.changes.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    }
    return split;
}

class SetImage final : public SetCommand {
    void add_own_flags(Flags&) override {}
    Result<void> run(Session& session, const Words& words) override {
        const Split split = split_words(words.words);
        if (has_objects(split.objects) && split.changes.empty())
            return fail("at least one image update is required");
        return change_each(session, split.objects, "image updated", [&](Item& item) -> Result<void> {
            const auto spec = need_pod_spec(item);
            if (!spec) return pass_on(spec);
            for (const auto& [container, image] : split.changes) {
                const auto containers = matching_containers(**spec, container);
                if (containers.empty()) return fail("unable to find container named \"" + container + "\"");
                for (Object* one : containers) (*one)["image"] = image;
            }
            return {};
        });
    }
};

class SetResources final : public SetCommand {
    void add_own_flags(Flags& flags) override {
        flags.text("c,containers", containers_, "Only in containers of this name; * stands for anything");
        flags.text("limits", limits_, "The most they may use, such as cpu=1,memory=1Gi");
        flags.text("requests", requests_, "What is kept for them, such as cpu=250m,memory=64Mi");
    }
    Result<void> run(Session& session, const Words& words) override {
        if (limits_.empty() && requests_.empty())
            return fail(
                "you must specify an update to requests or limits (in the form of --requests/--limits)");
        const auto limits = read_pairs(limits_, "resource quantity");
        if (!limits) return pass_on(limits);
        const auto requests = read_pairs(requests_, "resource quantity");
        if (!requests) return pass_on(requests);
        return change_each(session, words.words, "resource requirements updated",
                           [&](Item& item) -> Result<void> {
                               const auto spec = need_pod_spec(item);
                               if (!spec) return pass_on(spec);
                               const auto containers = matching_containers(**spec, containers_);
                               if (containers.empty())
                                   return fail("unable to find container named " + containers_);
                               for (Object* container : containers) {
                                   if (!limits->empty()) (*container)["resources"]["limits"].update(*limits);
                                   if (!requests->empty())
                                       (*container)["resources"]["requests"].update(*requests);
                               }
                               return {};
                           });
    }
    std::string containers_ = "*";
    std::string limits_, requests_;
};

class SetServiceAccount final : public SetCommand {
    void add_own_flags(Flags&) override {}
    Result<void> run(Session& session, const Words& words) override {
        if (words.words.empty()) return misused("serviceaccount is required");
        std::vector<std::string> objects = words.words;
        const std::string account = objects.back();
        objects.pop_back();
        if (!has_objects(objects)) return misused("resource(s) to update must be specified");
        return change_each(
            session, objects, "serviceaccount updated",
            [&](Item& item) -> Result<void> {
                const auto spec = need_pod_spec(item);
                if (!spec) return pass_on(spec);
                (**spec)["serviceAccountName"] = account;
                (**spec)["serviceAccount"] = account;
                return {};
            },
            true);
    }
};

class SetSelector final : public SetCommand {
    void add_own_flags(Flags& flags) override {
        flags.text("resource-version", version_, "Only when the object is at this version");
    }
    Result<void> run(Session& session, const Words& words) override {
        const Split split = split_words(words.words);
        if (split.changes.size() != 1) return misused("one selector is required, such as app=web");
        std::string text;
        for (const std::string& word : words.words)
            if (word.find('=') != std::string::npos) text = word;
        const auto selector = parse_label_selector(text);
        if (!selector) return pass_on(selector);
        return change_each(
            session, split.objects, "selector updated",
            [&](Item& item) -> Result<void> {
                Object& object = item.object;
                if (text_at(object, "kind") != "Service")
                    return fail("setting a selector is only supported for Services");
                if (!version_.empty()) object["metadata"]["resourceVersion"] = version_;
                object["spec"]["selector"] = member(*selector, "matchLabels");
                return {};
            },
            true);
    }
    std::string version_;
};

}  // namespace

void add_set_commands(Registry& registry) {
    registry.add({"set", "Basic Commands", "SUBCOMMAND [options]", "Set one thing of objects", "", {}});
    registry.add<SetImage>("set image", "",
                           "(-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... [options]",
                           "The images of containers", "  keelctl set image deployment/web web=nginx:1.27");
    registry.add<SetResources>(
        "set resources", "", "(-f FILENAME | TYPE NAME) ([--limits=LIMITS & --requests=REQUESTS]) [options]",
        "How much CPU and memory containers get",
        "  keelctl set resources deployment web --limits=cpu=1,memory=1Gi");
    registry.add<SetServiceAccount>("set serviceaccount", "",
                                    "(-f FILENAME | TYPE NAME) SERVICE_ACCOUNT [options]",
                                    "The account that pods run as");
    registry.add_alias("set sa", "set serviceaccount");
    registry.add<SetSelector>("set selector", "", "(-f FILENAME | TYPE NAME) EXPRESSIONS [options]",
                              "Which pods a service is for");
    add_set_env_command(registry);
}

}  // namespace keelson::cli::kube

// keelctl debug
#include <nlohmann/json.hpp>
#include <random>

#include "cli/kube/command.h"
#include "cli/kube/deleting.h"
#include "cli/kube/image_reference.h"
#include "cli/kube/watch.h"
#include "cli/kube/writing.h"
#include "cli/output.h"
#include "cli/streams/stream_commands.h"
#include "cli/workloads/debug_pods.h"
#include "cli/workloads/pod_specs.h"

namespace keelson::cli::kube {
namespace {

constexpr int kSuffixLength = 5;

// As the ends of names that servers make: no vowels, so no words.
std::string random_suffix() {
    constexpr std::string_view kLetters = "bcdfghjklmnpqrstvwxz2456789";
    std::random_device device;
    std::uniform_int_distribution<std::size_t> letter(0, kLetters.size() - 1);
    std::string suffix;
    for (int i = 0; i < kSuffixLength; ++i) suffix += kLetters[letter(device)];
    return suffix;
}

const Object& status_of_container(const Object& pod, const std::string& name) {
    static const Object kNone;
    for (const char* list : {"initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"})
        for (const Object& status : member(pod, {"status", list}))
            if (text_at(status, "name") == name) return status;
    return kNone;
}

class Debug : public Command {
  public:
    void add_flags(Flags& flags) override {
        flags.array("f,filename", files_.filenames, "Files with the objects to debug");
        flags.text("image", wish_.image, "The image of the container that debugs");
        flags.text("image-pull-policy", wish_.pull_policy,
                   "When to get the image: Always, IfNotPresent or Never");
        flags.text("c,container", wish_.container, "The name of the container that debugs");
        flags.pairs("env", wish_.variables, "NAME=VALUE in the container's environment");
        flags.text("target", wish_.target, "Whose processes an ephemeral container sees");
        flags.text("profile", wish_.profile,
                   "What the container may do: general, baseline, restricted, netadmin, sysadmin or legacy");
        flags.text("custom", custom_file_, "A file with parts of a container that are merged over it");
        flags.flag("arguments-only", wish_.are_arguments_only,
                   "What follows -- are arguments and no command");
        flags.flag("attach", is_attached_, "Join the container when it runs; so it is with -i");
        flags.flag("i,stdin", wish_.has_input, "The container reads what keelctl reads");
        flags.flag("t,tty", wish_.has_terminal, "The container gets a terminal");
        flags.flag("q,quiet", is_quiet_, "Print only what comes from the container");
        add_copy_flags(flags);
    }

    Result<void> run(Session& session, const Words& words) override {
        std::vector<std::string> names = words.words;
        if (words.before_dash) {
            wish_.arguments.assign(names.begin() + static_cast<long>(*words.before_dash), names.end());
            names.resize(*words.before_dash);
        }
        if (!flags().was_given("attach") && wish_.has_input) is_attached_ = true;
        if (flags().was_given("share-processes")) wish_.shares_processes = shares_processes_;
        for (const auto& [name, image] : images_) wish_.images[name] = image;
        if (auto good = check(names); !good) return good;
        for (std::string& name : names)
            if (name.find('/') == std::string::npos) name.insert(0, "pods/");
        return for_each_object(session, {names, &files_}, [&](Item& item) { return debug(session, item); });
    }

  private:
    void add_copy_flags(Flags& flags) {
        flags.text("copy-to", wish_.copy_name, "Debug a copy of the pod, of this name");
        flags.pairs("set-image", images_, "CONTAINER=IMAGE: other images in the copy; * stands for all");
        flags.flag("replace", is_replaced_, "Delete the pod once it is copied");
        flags.flag("same-node", wish_.is_same_node, "The copy goes to the node of the pod");
        flags.flag("share-processes", shares_processes_, "The containers of the copy see all its processes");
        flags.flag("keep-labels", wish_.keeps_labels, "The copy has the labels of the pod");
        flags.flag("keep-annotations", wish_.keeps_annotations, "The copy has the annotations of the pod");
        flags.flag("keep-liveness", wish_.keeps_liveness, "The copy has the liveness probes of the pod");
        flags.flag("keep-readiness", wish_.keeps_readiness, "The copy has the readiness probes of the pod");
        flags.flag("keep-startup", wish_.keeps_startup, "The copy has the startup probes of the pod");
        flags.flag("keep-init-containers", wish_.keeps_init_containers,
                   "The copy has the init containers of the pod");
    }

    Result<void> check(const std::vector<std::string>& names) {
        const bool is_copy = !wish_.copy_name.empty();
        if (is_attached_ && flags().was_given("attach") && wish_.image.empty() && wish_.container.empty())
            return fail(
                "you must specify --container or create a new container using --image in order to attach.");
        if (auto good = is_copy ? check_copy() : check_no_copy(); !good) return good;
        if (names.empty() && files_.filenames.empty()) return fail("NAME or filename is required for debug");
        if (auto good = check_images(); !good) return good;
        if (!wish_.target.empty() && is_copy)
            return fail("--target is incompatible with --copy-to. Use --share-processes instead.");
        if (!wish_.target.empty())
            say("Targeting container \"" + wish_.target +
                "\". If you don't see processes from this container it may be because the container runtime "
                "doesn't support this feature.");
        if (wish_.has_terminal && !wish_.has_input)
            return fail("-i/--stdin is required for containers with -t/--tty=true");
        if (!is_debug_profile(wish_.profile)) return fail("unknown profile: " + wish_.profile);
        if (wish_.profile == "legacy")
            warn(
                "--profile=legacy is deprecated and will be removed in the future. It is recommended to "
                "explicitly specify a profile, for example \"--profile=general\".");
        return read_custom();
    }

    Result<void> check_copy() const {
        if (wish_.image.empty() && wish_.images.empty() && wish_.arguments.empty())
            return fail("you must specify --image, --set-image or command arguments.");
        if (!wish_.arguments.empty() && wish_.container.empty() && wish_.image.empty())
            return fail("you must specify an existing container or a new image when specifying args.");
        return {};
    }

    Result<void> check_no_copy() const {
        for (const auto& [flag, is_set] :
             {std::pair{"replace", is_replaced_}, std::pair{"same-node", wish_.is_same_node},
              std::pair{"set-image", !wish_.images.empty()}})
            if (is_set) return fail("--" + std::string(flag) + " may only be used with --copy-to.");
        if (wish_.image.empty()) return fail("you must specify --image when not using --copy-to.");
        return {};
    }

    Result<void> check_images() const {
        if (!wish_.image.empty() && !is_image_reference(wish_.image))
            return fail("invalid image name \"" + wish_.image + "\": invalid reference format");
        const std::string& policy = wish_.pull_policy;
        if (!policy.empty() && policy != "Always" && policy != "IfNotPresent" && policy != "Never")
            return fail("invalid image pull policy: " + policy);
        for (const auto& [name, image] : wish_.images)
            if (!is_image_reference(image)) {
                std::string text = "invalid image name \"";
                text.append(image).append("\" for container \"").append(name);
                return fail(text.append("\": invalid reference format"));
            }
        return {};
    }

    Result<void> read_custom() {
        if (custom_file_.empty()) return {};
        const auto text = read_source(custom_file_);
        if (!text)
            return fail("must pass a container spec json file for custom profile: " + text.error().message);
        auto custom = object_of_yaml(*text, custom_file_ + " does not contain a valid container spec");
        if (!custom) return pass_on(custom);
        if (!custom->is_object()) return fail(custom_file_ + " does not contain a valid container spec");
        for (const char* fixed : {"name", "command", "image", "lifecycle", "volumeDevices"})
            if (custom->contains(fixed))
                return fail(
                    "name, command, image, lifecycle and volume devices are not modifiable via custom "
                    "profile");
        wish_.custom = std::move(*custom);
        return {};
    }

    void say(const std::string& line) const {
        if (!is_quiet_) print(line + "\n");
    }

    Result<void> debug(Session& session, Item& item) {
        const std::string& kind = item.resource->kind;
        const bool is_core = item.resource->group.empty();
        std::string container;
        auto made = is_core && kind == "Pod"    ? debug_pod(session, item, container)
                    : is_core && kind == "Node" ? debug_node(session, item, container)
                                                : unsupported(item);
        if (!made) return pass_on(made);
        if (!is_attached_ || container.empty()) return {};
        return attach(session, std::move(*made), container);
    }

    static Result<Item> unsupported(const Item& item) {
        return fail("\"" + item.resource->group + "/" + item.resource->version +
                    ", Kind=" + item.resource->kind + "\" not supported by debug");
    }

    std::string name_for(const Object& pod) const {
        if (!wish_.container.empty()) return wish_.container;
        std::string name;
        do name = "debugger-" + random_suffix();
        while (has_container(pod, name));
        say("Defaulting debug container name to " + name + ".");
        return name;
    }

    Result<Item> debug_node(Session& session, const Item& node, std::string& container) const {
        container = wish_.container.empty() ? "debugger" : wish_.container;
        const std::string name = "node-debugger-" + node.name + "-" + random_suffix();
        say("Creating debugging pod " + name + " with container " + container + " on node " + node.name +
            ".");
        auto pod = debug_pod_on_node(wish_, node.name, name, container);
        if (!pod) return pass_on(pod);
        const auto types = session.discovery();
        if (!types) return pass_on(types);
        const auto pods = (*types)->find_type("pods");
        if (!pods) return pass_on(pods);
        const auto space = session.namespace_name();
        if (!space) return pass_on(space);
        return create(session,
                      {.resource = *pods, .namespace_name = *space, .name = name, .object = std::move(*pod)});
    }

    static Result<Item> create(Session& session, Item item) {
        const auto api = session.api();
        if (!api) return pass_on(api);
        if (auto created = create_item(**api, item, {}); !created) return pass_on(created);
        return item;
    }

    Result<Item> debug_pod(Session& session, const Item& item, std::string& container) const {
        return wish_.copy_name.empty() ? add_container(session, item, container)
                                       : copy_pod(session, item, container);
    }

    Result<Item> add_container(Session& session, Item item, std::string& container) const {
        container = name_for(item.object);
        const auto changed = with_ephemeral_container(wish_, item.object, container);
        if (!changed) return pass_on(changed);
        const auto api = session.api();
        if (!api) return pass_on(api);
        const std::string patch = compact(strategic_difference(item.object, *changed));
        auto sent = patch_item(**api, item, kStrategicPatch, patch, {}, "ephemeralcontainers");
        if (sent) return item;
        // Of a pod that is missing, the server says which.
        if (is_not_found(sent.error()) && sent.error().refusal->name.empty())
            return fail("ephemeral containers are disabled for this cluster (error from server: \"" +
                        sent.error().refusal->message + "\")");
        return pass_on(sent);
    }

    Result<Item> copy_pod(Session& session, const Item& item, std::string& container) const {
        const std::string made_up = copy_needs_name(wish_) ? name_for(item.object) : "";
        auto copy = debug_copy(wish_, item.object, made_up);
        if (!copy) return pass_on(copy);
        container = copy->container;
        auto created = create(session, {.resource = item.resource,
                                        .namespace_name = item.namespace_name,
                                        .name = wish_.copy_name,
                                        .object = std::move(copy->pod)});
        if (!created || !is_replaced_) return created;
        const auto api = session.api();
        if (const auto deleted = delete_item(**api, item, {}); !deleted) return pass_on(deleted);
        return created;
    }

    // The pod once the container runs, or has ended.
    Result<void> wait_for_container(Api& api, Item& item, const std::string& container) const {
        std::string last;
        return watch_object(
            api, item.resource->path(item.namespace_name), item.name,
            [&](const Object& pod) -> Result<bool> {
                if (pod.is_null()) return fail("pod \"" + item.name + "\" was deleted");
                item.object = pod;
                const Object& state = member(status_of_container(pod, container), "state");
                if (state.contains("running") || state.contains("terminated")) return true;
                const std::string message = text_at(member(state, "waiting"), "message");
                if (!is_quiet_ && !message.empty() && std::exchange(last, message) != message)
                    warn("Warning: container " + container + ": " + message);
                return false;
            },
            std::nullopt);
    }

    Result<void> attach(Session& session, Item item, const std::string& container) const {
        const auto api = session.api();
        if (!api) return pass_on(api);
        if (auto flushed = flush_output(); !flushed) return flushed;
        if (auto runs = wait_for_container(**api, item, container); !runs) return runs;
        if (member(status_of_container(item.object, container), "state").contains("terminated"))
            return print_log(**api, item, container);
        auto done =
            attach_to(session, item.object, container, {wish_.has_input, wish_.has_terminal, is_quiet_});
        if (done || done.error().is_whole) return done;
        warn("warning: couldn't attach to pod/" + item.name +
             ", falling back to streaming logs: " + line_of(done.error()));
        return print_log(**api, item, container);
    }

    static Result<void> print_log(Api& api, const Item& item, const std::string& container) {
        return api.stream(
            {.path = item.path() + "/log", .query = {{"container", container}}, .accept = "*/*"},
            [](std::string_view piece) { return print(piece); });
    }

    DebugWish wish_;
    FileFlags files_;
    std::vector<std::pair<std::string, std::string>> images_;
    std::string custom_file_;
    bool is_attached_ = false;
    bool is_quiet_ = false;
    bool is_replaced_ = false;
    bool shares_processes_ = true;
};

}  // namespace

void add_debug_command(Registry& registry) {
    registry.add<Debug>("debug", "Troubleshooting and Debugging Commands",
                        "(POD | TYPE[[.VERSION].GROUP]/NAME) [ -- COMMAND [args...] ] [options]",
                        "Look into a pod, a copy of it, or a node with a container that is made for it",
                        "  keelctl debug web -it --image=busybox --target=web\n"
                        "  keelctl debug web -it --image=busybox --copy-to=web-debug --share-processes\n"
                        "  keelctl debug web --copy-to=web-debug --set-image=*=busybox\n"
                        "  keelctl debug node/n1 -it --image=busybox");
}

}  // namespace keelson::cli::kube

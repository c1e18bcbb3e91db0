// keelctl run
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/kube/deleting.h"
#include "cli/kube/watch.h"
#include "cli/output.h"
#include "cli/streams/stream_commands.h"
#include "cli/workloads/command_groups.h"
#include "cli/workloads/generator.h"

namespace keelson::cli::kube {
namespace {

std::string phase_of(const Object& pod) {
    return text_at(member(pod, "status"), "phase");
}

bool has_ended(const Object& pod) {
    return phase_of(pod) == "Succeeded" || phase_of(pod) == "Failed";
}

class Run final : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_write_flags(flags, write_, "keelctl-run");
        add_print_flags(flags, print_);
        flags.text("image", image_, "The image");
        flags.text("image-pull-policy", pull_policy_, "When to get the image: Always, IfNotPresent or Never");
        flags.text("restart", restart_, "When the container is started again: Always, OnFailure or Never");
        flags.text("port", port_, "The port that the container listens on");
        flags.array("env", variables_, "NAME=VALUE in the container's environment");
        flags.array("annotations", annotations_, "The pod's annotations, NAME=VALUE");
        flags.text("l,labels", labels_, "The pod's labels, NAME=VALUE,...");
        flags.text("overrides", overrides_, "JSON that is merged into the pod");
        flags.text("override-type", override_type_, "How: merge, strategic (as merge) or json");
        flags.flag("command", is_command_, "What follows -- is the command, not only its arguments");
        flags.flag("expose", is_exposed_, "Make a service for the pod too; goes with --port");
        flags.flag("i,stdin", talk_.has_input, "The container reads what keelctl reads");
        flags.flag("t,tty", talk_.has_terminal, "The container gets a terminal");
        flags.flag("attach", is_attached_, "Join the container's output when it runs");
        flags.flag("leave-stdin-open", stays_open_, "The container may still read when keelctl has left");
        flags.flag("rm", is_removed_, "Delete the pod at its end; goes with -i or --attach");
        flags.flag("q,quiet", talk_.is_quiet, "Print only what comes from the container");
        flags.flag("privileged", is_privileged_, "The container may do all that its node may");
        flags.duration("pod-running-timeout", patience_, "How long to wait until the pod runs");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (auto good = check(words); !good) return good;
        const auto dry_run = write_.dry_run.read();
        if (!dry_run) return pass_on(dry_run);
        const bool talks = is_attached_ || (talk_.has_input && !flags().was_given("attach"));
        if (*dry_run != DryRun::none && (is_attached_ || talk_.has_input || talk_.has_terminal))
            return misused(
                "--dry-run=[server|client] can't be used with attached containers options (--attach, "
                "--stdin, or --tty)");
        const auto pod = make_pod(words);
        if (!pod) return pass_on(pod);
        if (is_exposed_)
            if (auto done = create_and_tell(session, make_service(*pod), write_, print_, "created"); !done)
                return done;
        // A pod that is attached to speaks for itself.
        if (!talks) return create_and_tell(session, *pod, write_, print_, "created");
        return run_attached(session, *pod);
    }

  private:
    Result<void> check(const Words& words) {
        if (words.words.empty()) return misused("NAME is required for run");
        if (image_.empty()) return fail("required flag(s) \"image\" not set");
        const bool talks = is_attached_ || talk_.has_input;
        if (is_removed_ && !talks) return misused("--rm should only be used for attached containers");
        if (talk_.has_terminal && !talk_.has_input)
            return misused("-i/--stdin is required for containers with -t/--tty=true");
        if (is_exposed_ && port_.empty()) return misused("--port must be set when exposing a service");
        if (restart_ != "Always" && restart_ != "OnFailure" && restart_ != "Never")
            return misused("invalid restart policy: " + restart_);
        if (!pull_policy_.empty() && pull_policy_ != "Always" && pull_policy_ != "IfNotPresent" &&
            pull_policy_ != "Never")
            return misused("invalid image pull policy: " + pull_policy_);
        return {};
    }

    Result<Object> make_pod(const Words& words) const {
        const std::string& name = words.words.front();
        Object pod = new_object("v1", "Pod", name);
        auto labels = read_pairs(labels_, "label spec");
        if (!labels) return pass_on(labels);
        pod["metadata"]["labels"] = labels->empty() ? Object{{"run", name}} : *labels;
        for (const std::string& annotation : annotations_) {
            const auto pair = read_pairs(annotation, "annotation");
            if (!pair) return pass_on(pair);
            pod["metadata"]["annotations"].update(*pair);
        }
        auto container = make_container(words);
        if (!container) return pass_on(container);
        pod["spec"] = {
            {"containers", {*container}}, {"dnsPolicy", "ClusterFirst"}, {"restartPolicy", restart_}};
        pod["status"] = Object::object();
        return overridden(std::move(pod));
    }

    Result<Object> make_container(const Words& words) const {
        Object container{{"name", words.words.front()}, {"image", image_}, {"resources", Object::object()}};
        const std::vector<std::string> arguments(words.words.begin() + 1, words.words.end());
        if (!arguments.empty()) container[is_command_ ? "command" : "args"] = arguments;
        if (!pull_policy_.empty()) container["imagePullPolicy"] = pull_policy_;
        for (const std::string& variable : variables_) {
            const std::size_t equals = variable.find('=');
            if (equals == std::string::npos || equals == 0) return fail("invalid env: " + variable);
            Object set{{"name", variable.substr(0, equals)}};
            if (equals + 1 < variable.size()) set["value"] = variable.substr(equals + 1);
            container["env"].push_back(std::move(set));
        }
        if (!port_.empty()) {
            const Object port = number_or_text(port_);
            if (!port.is_number()) return fail("strconv.Atoi: parsing \"" + port_ + "\": invalid syntax");
            container["ports"] = {{{"containerPort", port}}};
        }
        if (talk_.has_input) container["stdin"] = true;
        if (talk_.has_input && !stays_open_) container["stdinOnce"] = true;
        if (talk_.has_terminal) container["tty"] = true;
        if (is_privileged_) container["securityContext"] = {{"privileged", true}};
        return container;
    }

    Result<Object> overridden(Object pod) const {
        if (overrides_.empty()) return pod;
        const auto change = parse_object(overrides_, "--overrides");
        if (!change) return pass_on(change);
        if (override_type_ == "json") {
            try {
                return pod.patch(*change);
            } catch (const nlohmann::json::exception& error) {
                return fail(std::string("--overrides: ") + error.what());
            }
        }
        pod.merge_patch(*change);
        return pod;
    }

    Object make_service(const Object& pod) const {
        const Object port = number_or_text(port_);
        Object service = new_object("v1", "Service", name_of(pod));
        service["spec"] = {{"ports", {{{"port", port}, {"protocol", "TCP"}, {"targetPort", port}}}},
                           {"selector", member(pod, {"metadata", "labels"})}};
        service["status"] = {{"loadBalancer", Object::object()}};
        return service;
    }

    Result<void> run_attached(Session& session, const Object& pod) {
        const auto query = write_query(write_);
        if (!query) return pass_on(query);
        const auto space = session.namespace_name();
        if (!space) return pass_on(space);
        const auto api = session.api();
        if (!api) return pass_on(api);
        Item item{
            .resource = &resource_of(pod), .namespace_name = *space, .name = name_of(pod), .object = pod};
        if (auto created = create_item(**api, item, *query); !created) return created;
        auto done = talk_to(session, **api, item);
        if (is_removed_) {
            if (auto removed = remove(**api, item); !removed && done) done = removed;
        }
        return done;
    }

    Result<void> talk_to(Session& session, Api& api, Item& item) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(patience_);
        auto waited = wait_for(api, item, deadline, [](const Object& pod) {
            return has_ended(pod) || phase_of(pod) == "Running";
        });
        if (!waited) return waited;
        if (has_ended(item.object)) {
            if (auto logged = print_log(api, item); !logged) return logged;
        } else if (auto talked = attach_to(session, item.object, "", talk_); !talked) {
            // It may have ended meanwhile.
            warn("warning: couldn't attach to pod/" + item.name +
                 ", falling back to streaming logs: " + talked.error().message);
            if (auto logged = print_log(api, item); !logged) return logged;
        }
        if (restart_ == "Always" || stays_open_) return {};
        if (auto ended = wait_for(api, item, std::nullopt, has_ended); !ended) return ended;
        return exit_code_of(item);
    }

    static Result<void> print_log(Api& api, const Item& item) {
        return api.stream({.path = item.path() + "/log", .query = {{"follow", "true"}}, .accept = "*/*"},
                          [](std::string_view piece) { return print(piece); });
    }

    static Result<void> wait_for(Api& api, Item& item, std::optional<Deadline> deadline,
                                 const std::function<bool(const Object&)>& is_done) {
        return watch_object(
            api, item.resource->path(item.namespace_name), item.name,
            [&](const Object& pod) -> Result<bool> {
                if (pod.is_null()) return fail("pod \"" + item.name + "\" was deleted");
                item.object = pod;
                return is_done(pod);
            },
            deadline);
    }

    static Result<void> exit_code_of(const Item& item) {
        if (phase_of(item.object) != "Failed") return {};
        for (const Object& status : member(item.object, {"status", "containerStatuses"})) {
            const Object& ended = member(status, {"state", "terminated"});
            const Object& code = member(ended, "exitCode");
            if (!code.is_number()) continue;
            return tl::unexpected(whole("pod " + item.namespace_name + "/" + item.name + " terminated (" +
                                            text_at(ended, "reason") + ")",
                                        code.get<int>()));
        }
        return fail("pod " + item.namespace_name + "/" + item.name + " failed with unknown exit code");
    }

    Result<void> remove(Api& api, const Item& item) const {
        const auto uid = delete_item(api, item, {});
        if (!uid) return pass_on(uid);
        if (!talk_.is_quiet) print("pod \"" + item.name + "\" deleted\n");
        return {};
    }

    WriteFlags write_;
    PrintFlags print_;
    Talk talk_;
    std::string image_, pull_policy_, port_, labels_, overrides_;
    std::string restart_ = "Always";
    std::string override_type_ = "merge";
    std::vector<std::string> variables_, annotations_;
    bool is_command_ = false;
    bool is_exposed_ = false;
    bool is_attached_ = false;
    bool stays_open_ = false;
    bool is_removed_ = false;
    bool is_privileged_ = false;
    std::int64_t patience_ = 60'000'000'000;
};

}  // namespace

void add_run_command(Registry& registry) {
    registry.add<Run>(
        "run", "Basic Commands",
        "NAME --image=image [--env=\"key=value\"] [--port=port] [--dry-run=server|client] "
        "[--overrides=inline-json] [--command] -- [COMMAND] [args...] [options]",
        "Start one pod",
        "  keelctl run web --image=nginx --port=80 --expose\n  keelctl run -it --rm shell --image=busybox "
        "--restart=Never -- sh");
}

}  // namespace keelson::cli::kube

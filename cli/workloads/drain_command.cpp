// keelctl drain
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "cli/kube/command.h"
#include "cli/kube/resources.h"
#include "cli/output.h"
#include "cli/workloads/command_groups.h"
#include "cli/workloads/cordoning.h"
#include "cli/workloads/drain_plan.h"

namespace keelson::cli::kube {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kRetryAfter{5};
constexpr std::chrono::milliseconds kLookAgainAfter{500};

std::string path_of(const Object& pod) {
    return "/api/v1/namespaces/" + encode_segment(namespace_of(pod)) + "/pods/" +
           encode_segment(name_of(pod));
}

std::string uid_of(const Object& pod) {
    return text_at(member(pod, "metadata"), "uid");
}

class Drain final : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_selector_flag(flags, select_);
        add_dry_run_flag(flags, dry_run_flag_);
        flags.flag("force", rules_.forces, "Also pods that nobody would make again");
        flags.flag("ignore-daemonsets", rules_.ignores_daemon_sets, "Leave the pods of daemon sets");
        flags.flag("delete-emptydir-data", rules_.deletes_empty_dirs,
                   "Also pods whose emptyDir volumes are lost with them");
        flags.number("grace-period", grace_period_,
                     "Seconds that a pod is given to end; below 0: as the pod says");
        flags.duration("timeout", timeout_, "How long to try; 0: for ever");
        flags.flag("disable-eviction", deletes_, "Delete pods, past their disruption budgets");
        flags.text("pod-selector", pod_selector_, "Only pods with these labels");
        flags.number("skip-wait-for-delete-timeout", rules_.skips_deleted_after,
                     "Do not wait for pods that are being deleted for longer than so many seconds");
        flags.number("chunk-size", chunk_size_, "Taken for the sake of scripts");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (words.words.empty() && select_.labels.empty()) return misused("USAGE: drain NODE [flags]");
        if (!words.words.empty() && !select_.labels.empty())
            return misused("error: cannot specify both a node name and a --selector option");
        const auto dry_run = dry_run_flag_.read();
        if (!dry_run) return pass_on(dry_run);
        dry_run_ = *dry_run;
        const auto api = session.api();
        if (!api) return pass_on(api);
        api_ = *api;
        std::vector<std::string> nodes{"nodes"};
        for (const std::string& word : words.words)
            nodes.push_back(word.starts_with("node/") ? word.substr(5) : word);
        std::vector<Item> items;
        const auto read =
            for_each_object(session, {nodes, nullptr, &select_}, [&](Item& item) -> Result<void> {
                items.push_back(item);
                return {};
            });
        if (!read) return read;
        for (Item& item : items)
            if (auto done = set_cordon(*api_, item, true, dry_run_); !done) return done;
        return drain_each(items);
    }

  private:
    Result<void> drain_each(const std::vector<Item>& nodes) {
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            const auto done = drain(nodes[i]);
            if (!done) {
                std::string pending;
                for (std::size_t left = i; left < nodes.size(); ++left) pending += "\n " + nodes[left].name;
                return tl::unexpected(
                    whole("error: unable to drain node \"" + nodes[i].name +
                          "\" due to error: " + joined_problems(done.error().message) +
                          ", continuing command...\nThere are pending nodes to be drained:" + pending + "\n" +
                          done.error().message));
            }
            print(nodes[i].text() + " " + with_dry_run("drained", dry_run_) + "\n");
        }
        return {};
    }

    // Several lines as one: "[a, b]".
    static std::string joined_problems(std::string lines) {
        if (lines.find('\n') == std::string::npos) return lines;
        for (std::size_t at = 0; (at = lines.find('\n', at)) != std::string::npos;)
            lines.replace(at, 1, ", ");
        return "[" + lines + "]";
    }

    Result<void> drain(const Item& node) {
        const SelectFlags select{.labels = pod_selector_, .fields = "spec.nodeName=" + node.name};
        const auto list = api_->ask({.path = "/api/v1/pods", .query = selector_query(&select)});
        if (!list) return pass_on(list);
        std::vector<Object> pods;
        for (const Object& pod : member(*list, "items")) pods.push_back(pod);
        rules_.now = std::chrono::duration_cast<std::chrono::seconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
        const DrainPlan plan = plan_drain(pods, rules_);
        if (!plan.problems.empty()) {
            std::string lines;
            for (const std::string& problem : plan.problems) lines += (lines.empty() ? "" : "\n") + problem;
            return fail(lines);
        }
        for (const std::string& warning : plan.warnings) warn("Warning: " + warning);
        if (timeout_ > 0) deadline_ = Clock::now() + std::chrono::nanoseconds(timeout_);
        return remove_all(plan.pods);
    }

    [[nodiscard]] bool is_late() const { return deadline_ && Clock::now() > *deadline_; }
    [[nodiscard]] tl::unexpected<Failure> late() const {
        return fail("global timeout reached: " + std::to_string(timeout_ / 1'000'000'000) + "s");
    }

    // Asks for each; those that a budget keeps are asked for again until they go.
    Result<void> remove_all(std::vector<Object> pods) {
        std::vector<Object> going;
        while (!pods.empty()) {
            std::vector<Object> kept;
            for (Object& pod : pods) {
                const auto is_gone = remove(pod);
                if (!is_gone) return pass_on(is_gone);
                (*is_gone ? going : kept).push_back(std::move(pod));
            }
            pods = std::move(kept);
            if (pods.empty()) break;
            if (is_late()) return late();
            std::this_thread::sleep_for(kRetryAfter);
        }
        if (dry_run_ != DryRun::none) return {};
        return wait_for_end(going);
    }

    // False: not yet.
    Result<bool> remove(const Object& pod) {
        const std::string what = deletes_ ? "deleting" : "evicting";
        const std::string name = namespace_of(pod) + "/" + name_of(pod);
        print(with_dry_run(what + " pod " + name, dry_run_) + "\n");
        if (auto flushed = flush_output(); !flushed) return pass_on(flushed);
        if (dry_run_ == DryRun::client) return true;
        const auto answer = api_->send(deletes_ ? deletion_of(pod) : eviction_of(pod));
        if (answer || is_not_found(answer.error())) return true;
        if (!is_refused_as(answer.error(), "TooManyRequests"))
            return fail("error when " + what + " pods/\"" + name_of(pod) + "\" -n \"" + namespace_of(pod) +
                        "\": " + answer.error().refusal->message);
        warn("error when evicting pods/\"" + name_of(pod) + "\" -n \"" + namespace_of(pod) +
             "\" (will retry after 5s): " + answer.error().refusal->message);
        return false;
    }

    [[nodiscard]] Object delete_options() const {
        Object options = Object::object();
        if (grace_period_ >= 0) options["gracePeriodSeconds"] = grace_period_;
        if (dry_run_ == DryRun::server) options["dryRun"] = {"All"};
        return options;
    }

    [[nodiscard]] ApiCall eviction_of(const Object& pod) const {
        const Object eviction{{"apiVersion", "policy/v1"},
                              {"kind", "Eviction"},
                              {"metadata", {{"name", name_of(pod)}, {"namespace", namespace_of(pod)}}},
                              {"deleteOptions", delete_options()}};
        return {.method = "POST", .path = path_of(pod) + "/eviction", .body = compact(eviction)};
    }

    [[nodiscard]] ApiCall deletion_of(const Object& pod) const {
        Object options = delete_options();
        options["apiVersion"] = "v1";
        options["kind"] = "DeleteOptions";
        return {.method = "DELETE", .path = path_of(pod), .body = compact(options)};
    }

    Result<void> wait_for_end(std::vector<Object> going) {
        while (!going.empty()) {
            std::vector<Object> left;
            for (Object& pod : going) {
                const auto there = api_->ask({.path = path_of(pod)});
                if (!there && !is_not_found(there.error())) return pass_on(there);
                // Another pod of this name is not the one that was to go.
                if (!there || uid_of(*there) != uid_of(pod))
                    print("pod/" + name_of(pod) + (deletes_ ? " deleted\n" : " evicted\n"));
                else
                    left.push_back(std::move(pod));
            }
            going = std::move(left);
            if (going.empty()) break;
            if (is_late()) return late();
            std::this_thread::sleep_for(kLookAgainAfter);
        }
        return {};
    }

    Api* api_ = nullptr;
    SelectFlags select_;
    DryRunFlag dry_run_flag_;
    DryRun dry_run_ = DryRun::none;
    DrainRules rules_;
    std::int64_t grace_period_ = -1;
    std::int64_t timeout_ = 0;
    bool deletes_ = false;
    std::string pod_selector_;
    std::int64_t chunk_size_ = 500;
    std::optional<Clock::time_point> deadline_;
};

}  // namespace

void add_drain_command(Registry& registry) {
    registry.add<Drain>("drain", "Cluster Management Commands", "NODE [options]",
                        "Empty a node, such as before work on it",
                        "  keelctl drain n1 --ignore-daemonsets --delete-emptydir-data");
}

}  // namespace keelson::cli::kube

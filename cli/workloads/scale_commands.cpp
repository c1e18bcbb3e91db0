// keelctl scale, autoscale
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/describe/description.h"
#include "cli/kube/watch.h"
#include "cli/workloads/command_groups.h"
#include "cli/workloads/generator.h"

namespace keelson::cli::kube {
namespace {

class Scale final : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_selector_flag(flags, select_);
        add_all_flag(flags, select_);
        add_write_flags(flags, write_, "keelctl-scale");
        add_print_flags(flags, print_);
        flags.number("replicas", replicas_, "How many pods; must be given");
        flags.number("current-replicas", current_, "Only when there are so many now; -1: in any case");
        flags.text("resource-version", version_, "Only when the object is at this version");
        flags.duration("timeout", timeout_, "How long to wait until the size is reached; 0: not at all");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (!flags().was_given("replicas") || replicas_ < 0)
            return fail(
                "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0");
        const auto query = write_query(write_);
        if (!query) return pass_on(query);
        const DryRun dry_run = *write_.dry_run.read();
        const auto api = session.api();
        if (!api) return pass_on(api);
        bool has_any = false;
        const auto done =
            for_each_object(session, {words.words, &files_, &select_}, [&](Item& item) -> Result<void> {
                has_any = true;
                if (dry_run != DryRun::client)
                    if (auto scaled = scale(**api, item, *query); !scaled) return scaled;
                return print_change(print_, item, with_dry_run("scaled", dry_run));
            });
        if (!has_any)
            return fail(
                "no objects passed to scale" +
                (done ? ""
                      : " " + (done.error().refusal ? done.error().refusal->message : done.error().message)));
        return done;
    }

  private:
    Result<void> scale(Api& api, const Item& item, const Query& query) const {
        const std::string path = item.path() + "/scale";
        if (current_ >= 0 || !version_.empty())
            if (auto good = check(api, path); !good) return good;
        Object patch{{"spec", {{"replicas", replicas_}}}};
        if (!version_.empty()) patch["metadata"] = {{"resourceVersion", version_}};
        const auto answer = api.ask({.method = "PATCH",
                                     .path = path,
                                     .query = query,
                                     .body = compact(patch),
                                     .content_type = kMergePatch});
        if (!answer) return pass_on(answer);
        return timeout_ > 0 ? wait(api, item) : Result<void>();
    }

    Result<void> check(Api& api, const std::string& path) const {
        const auto now = api.ask({.path = path});
        if (!now) return pass_on(now);
        const auto replicas = describing::number(member(*now, {"spec", "replicas"}));
        if (current_ >= 0 && replicas != current_)
            return fail("Expected replicas to be " + std::to_string(current_) + ", was " +
                        std::to_string(replicas));
        if (!version_.empty() && resource_version_of(*now) != version_)
            return fail("Expected resource version to be " + version_ + ", was " + resource_version_of(*now));
        return {};
    }

    Result<void> wait(Api& api, const Item& item) const {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(timeout_);
        return watch_object(
            api, item.resource->path(item.namespace_name), item.name,
            [this](const Object& object) -> Result<bool> {
                return describing::number(member(object, {"status", "replicas"})) == replicas_;
            },
            deadline);
    }

    FileFlags files_;
    SelectFlags select_;
    WriteFlags write_;
    PrintFlags print_;
    std::int64_t replicas_ = 0;
    std::int64_t current_ = -1;
    std::string version_;
    std::int64_t timeout_ = 0;
};

class Autoscale final : public Command {
  public:
    void add_flags(Flags& flags) override {
        add_file_flags(flags, files_);
        add_write_flags(flags, write_, "keelctl-autoscale");
        add_print_flags(flags, print_);
        flags.number("min", least_, "Never fewer pods; 0 and below: as the server chooses");
        flags.number("max", most_, "Never more pods; must be given");
        flags.number("cpu-percent", percent_, "How busy pods shall be, in percent of their requests");
        flags.text("name", name_, "How it will be called");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (most_ < 1)
            return misused("--max=MAXPODS is required and must be at least 1, max: " + std::to_string(most_));
        if (most_ < least_)
            return fail("--max=MAXPODS must be larger or equal to --min=MINPODS, max: " +
                        std::to_string(most_) + ", min: " + std::to_string(least_));
        return for_each_object(session, {words.words, &files_}, [&](Item& item) -> Result<void> {
            if (std::find(item.resource->subresources.begin(), item.resource->subresources.end(), "scale") ==
                item.resource->subresources.end())
                return fail("cannot autoscale a " + item.resource->kind);
            return create_and_tell(session, scaler_of(item), write_, print_, "autoscaled");
        });
    }

  private:
    Object scaler_of(const Item& item) const {
        Object scaler =
            new_object("autoscaling/v1", "HorizontalPodAutoscaler", name_.empty() ? item.name : name_);
        scaler["spec"] = {{"maxReplicas", most_},
                          {"scaleTargetRef",
                           {{"apiVersion", item.resource->api_version()},
                            {"kind", item.resource->kind},
                            {"name", item.name}}}};
        if (least_ > 0) scaler["spec"]["minReplicas"] = least_;
        if (percent_ >= 0) scaler["spec"]["targetCPUUtilizationPercentage"] = percent_;
        scaler["status"] = {{"currentReplicas", 0}, {"desiredReplicas", 0}};
        return scaler;
    }

    FileFlags files_;
    WriteFlags write_;
    PrintFlags print_;
    std::int64_t least_ = -1;
    std::int64_t most_ = -1;
    std::int64_t percent_ = -1;
    std::string name_;
};

}  // namespace

void add_scale_command(Registry& registry) {
    registry.add<Scale>(
        "scale", "Deploy Commands",
        "[--resource-version=version] [--current-replicas=count] --replicas=COUNT (-f FILENAME | TYPE "
        "NAME) [options]",
        "Set how many pods there are",
        "  keelctl scale --replicas=3 deployment/web\n  keelctl scale --current-replicas=2 --replicas=3 "
        "deployment/web");
}

void add_autoscale_command(Registry& registry) {
    registry.add<Autoscale>(
        "autoscale", "Deploy Commands",
        "(-f FILENAME | TYPE NAME | TYPE/NAME) [--min=MINPODS] --max=MAXPODS [--cpu-percent=CPU] "
        "[options]",
        "Let the number of pods follow their load",
        "  keelctl autoscale deployment web --min=2 --max=10 --cpu-percent=80");
}

}  // namespace keelson::cli::kube

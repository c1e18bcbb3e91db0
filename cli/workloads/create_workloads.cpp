// keelctl create deployment, job, cronjob
#include <nlohmann/json.hpp>

#include "cli/workloads/command_groups.h"
#include "cli/workloads/generator.h"

namespace keelson::cli::kube {
namespace {

Object container_of(const std::string& name, const std::string& image) {
    return {{"name", name}, {"image", image}, {"resources", Object::object()}};
}

// Words behind the name, or behind "--", are the command.
std::vector<std::string> command_of(const Words& words) {
    return {words.words.begin() + 1, words.words.end()};
}

class CreateDeployment final : public Generator {
    void add_own_flags(Flags& flags) override {
        flags.array("image", images_, "The image; may be given again, for more containers");
        flags.number("port", port_, "The port that the container listens on");
        flags.number("r,replicas", replicas_, "How many pods");
    }

    Result<Object> make(Session&, const Words& words) override {
        if (auto given = require({"image"}); !given) return pass_on(given);
        if (words.words.empty()) return misused("exactly one NAME is required, got 0");
        const auto command = command_of(words);
        if (images_.size() > 1 && !command.empty())
            return fail("cannot specify multiple --image options and command");
        if (replicas_ < 0) return fail("--replicas must be greater than or equal to 0");
        Object deployment = new_object("apps/v1", "Deployment", words.words.front());
        const Object labels{{"app", words.words.front()}};
        deployment["metadata"]["labels"] = labels;
        Object containers = Object::array();
        for (const std::string& image : images_)
            containers.push_back(container_of(container_name_of(image), image));
        if (!command.empty()) containers[0]["command"] = command;
        if (is_given("port")) containers[0]["ports"] = {{{"containerPort", port_}}};
        deployment["spec"] = {{"replicas", replicas_},
                              {"selector", {{"matchLabels", labels}}},
                              {"strategy", Object::object()},
                              {"template",
                               {{"metadata", {{"labels", labels}, {"creationTimestamp", nullptr}}},
                                {"spec", {{"containers", containers}}}}}};
        deployment["status"] = Object::object();
        return deployment;
    }

    std::vector<std::string> images_;
    std::int64_t port_ = -1;
    std::int64_t replicas_ = 1;
};

Object job_spec(const std::string& name, const std::string& image, const std::vector<std::string>& command,
                const std::string& restart) {
    Object container = container_of(name, image);
    if (!command.empty()) container["command"] = command;
    return {{"template",
             {{"metadata", {{"creationTimestamp", nullptr}}},
              {"spec", {{"containers", Object::array({container})}, {"restartPolicy", restart}}}}}};
}

class CreateJob final : public Generator {
    void add_own_flags(Flags& flags) override {
        flags.text("image", image_, "The image");
        flags.text("from", from_, "Take the template of this: cronjob/NAME");
    }

    Result<Object> make(Session& session, const Words& words) override {
        if (words.words.empty()) return misused("exactly one NAME is required, got 0");
        const auto command = command_of(words);
        if (image_.empty() == from_.empty()) return fail("either --image or --from must be specified");
        if (!from_.empty() && !command.empty()) return fail("cannot specify --from and command");
        if (!from_.empty()) return from_cron_job(session, words.words.front());
        Object job = new_object("batch/v1", "Job", words.words.front());
        job["spec"] = job_spec(words.words.front(), image_, command, "Never");
        job["status"] = Object::object();
        return job;
    }

    Result<Object> from_cron_job(Session& session, const std::string& name) const {
        const std::vector<std::string> words{from_};
        const auto selection = select(session, {words});
        if (!selection) return pass_on(selection);
        const auto api = session.api();
        if (!api) return pass_on(api);
        const auto source = (*api)->ask({.path = selection->items.front().path()});
        if (!source) return pass_on(source);
        if (text_at(*source, "kind") != "CronJob") return fail("from must be an existing cronjob");
        const Object& wanted = member(*source, {"spec", "jobTemplate"});
        Object job = new_object("batch/v1", "Job", name);
        Object& metadata = job["metadata"];
        metadata["annotations"] = member(wanted, {"metadata", "annotations"});
        metadata["annotations"]["cronjob.kubernetes.io/instantiate"] = "manual";
        if (const Object& labels = member(wanted, {"metadata", "labels"}); labels.is_object())
            metadata["labels"] = labels;
        metadata["ownerReferences"] = {{{"apiVersion", "batch/v1"},
                                        {"kind", "CronJob"},
                                        {"name", name_of(*source)},
                                        {"uid", text_at(member(*source, "metadata"), "uid")},
                                        {"controller", true}}};
        job["spec"] = member(wanted, "spec");
        job["status"] = Object::object();
        return job;
    }

    std::string image_, from_;
};

class CreateCronJob final : public Generator {
    void add_own_flags(Flags& flags) override {
        flags.text("image", image_, "The image");
        flags.text("schedule", schedule_, "When: minute, hour, day, month and weekday, as in a crontab");
        flags.text("restart", restart_, "What when a container fails: OnFailure or Never");
    }

    Result<Object> make(Session&, const Words& words) override {
        if (words.words.empty()) return misused("exactly one NAME is required, got 0");
        if (auto given = require({"image", "schedule"}); !given) return pass_on(given);
        const std::string& name = words.words.front();
        Object job = new_object("batch/v1", "CronJob", name);
        job["spec"] = {{"jobTemplate",
                        {{"metadata", {{"name", name}, {"creationTimestamp", nullptr}}},
                         {"spec", job_spec(name, image_, command_of(words), restart_)}}},
                       {"schedule", schedule_}};
        job["status"] = Object::object();
        return job;
    }

    std::string image_, schedule_;
    std::string restart_ = "OnFailure";
};

}  // namespace

void add_create_workloads(Registry& registry) {
    registry.add<CreateDeployment>("create deployment", "",
                                   "NAME --image=image -- [COMMAND] [args...] [options]",
                                   "A deployment: pods that are kept running",
                                   "  keelctl create deployment web --image=nginx --replicas=3");
    registry.add_alias("create deploy", "create deployment");
    registry.add_alias("create dep", "create deployment");
    registry.add<CreateJob>(
        "create job", "", "NAME --image=image [--from=cronjob/name] -- [COMMAND] [args...] [options]",
        "A job: pods that run to their end", "  keelctl create job once --image=busybox -- date");
    registry.add<CreateCronJob>(
        "create cronjob", "", "NAME --image=image --schedule='0/5 * * * ?' -- [COMMAND] [args...] [options]",
        "A cron job: a job at set times",
        "  keelctl create cronjob tick --image=busybox --schedule='*/1 * * * *' -- date");
    registry.add_alias("create cj", "create cronjob");
}

}  // namespace keelson::cli::kube

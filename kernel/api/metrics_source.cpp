#include "kernel/api/metrics_source.h"

#include <optional>
#include <utility>
#include <vector>

#include "kernel/api/io_loop.h"
#include "kernel/api/usage_documents.h"
#include "kernel/base/gather.h"
#include "kernel/object/quantity.h"
#include "kernel/object/time_format.h"
#include "kernel/plugin/async_lock.h"

namespace keelson::api {
namespace {

using base::Executor;
using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using control::ContainerUsage;
using control::PodUsage;
using object::Value;

constexpr base::Duration kFresh = std::chrono::seconds(5);

// On the calling thread, which waits.
Summaries ask_nodes_elsewhere(Executor& background, resource::Lookup lookup, NodeGate& nodes,
                              std::vector<std::string> names) {
    IoLoop loop(background);
    Summaries summaries;
    loop.post([&] {
        std::vector<Task<Result<std::string>>> questions;
        questions.reserve(names.size());
        for (std::string& name : names)
            questions.push_back(ask_node_elsewhere(loop, lookup, nodes, std::move(name)));
        base::spawn(loop, base::gather(std::move(questions)), [&](Summaries answers) {
            summaries = std::move(answers);
            loop.stop();
        });
    });
    loop.run();
    return summaries;
}

Task<Summaries> ask_nodes(resource::Lookup lookup, NodeGate& nodes, std::vector<std::string> names) {
    Summaries summaries(names.size(), Status(Reason::service_unavailable, "not asked"));
    std::vector<std::size_t> elsewhere;
    std::vector<std::string> names_elsewhere;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (const NodeGate::Node* node = nodes.find(names[i])) {
            auto asking = node->agent.summary();
            summaries[i] = co_await asking;
        } else {
            elsewhere.push_back(i);
            names_elsewhere.push_back(names[i]);
        }
    }
    if (elsewhere.empty()) co_return summaries;
    Executor& executor = co_await base::current_executor();
    auto asking = [&executor, lookup, &nodes, names_elsewhere]() mutable {
        return ask_nodes_elsewhere(executor, lookup, nodes, std::move(names_elsewhere));
    };
    auto waiting = base::blocking(std::move(asking));
    Summaries answers = co_await waiting;
    for (std::size_t i = 0; i < elsewhere.size(); ++i) summaries[elsewhere[i]] = std::move(answers[i]);
    co_return summaries;
}

PodUsage usage_of(Value document) {
    PodUsage usage;
    usage.pod = document["metadata"]["name"].to_string();
    if (const auto at = object::parse_time(document["timestamp"].as_string()))
        usage.at = object::wall_time_of(*at);
    if (const auto window = object::parse_duration(document["window"].as_string()))
        usage.window = std::chrono::nanoseconds(*window);
    for (const Value container : document["containers"].items()) {
        ContainerUsage& one = usage.containers.emplace_back();
        one.name = container["name"].to_string();
        for (const object::Member& amount : container["usage"].members())
            if (const auto quantity = object::Quantity::parse(amount.value.as_string()))
                one.milli.emplace(amount.name, quantity->milli_value());
    }
    return usage;
}

class UsageSource final : public control::MetricsSource {
  public:
    UsageSource(resource::Lookup lookup, NodeGate& nodes) : lookup_(lookup), nodes_(nodes) {}

    Task<Result<std::vector<PodUsage>>> usage_of_pods(std::string namespace_name,
                                                      object::LabelSelector pods) override {
        if (!has_measured_nodes(lookup_, nodes_))
            co_return Status(Reason::not_found,
                             "the server could not find the requested resource (get pods.metrics.k8s.io)");
        auto refreshing = refresh();
        const Result<void> refreshed = co_await refreshing;
        if (!refreshed) co_return refreshed.error();
        std::vector<PodUsage> usages;
        for (const Value document : usage_->items) {
            const Value metadata = document["metadata"];
            if (metadata["namespace"].as_string() == namespace_name && pods.matches(metadata["labels"]))
                usages.push_back(usage_of(document));
        }
        co_return usages;
    }

  private:
    // One asks for all who want to know.
    Task<Result<void>> refresh() {
        auto acquiring = asking_.acquire();
        const plugin::AsyncLock::Hold hold = co_await acquiring;
        Executor& executor = co_await base::current_executor();
        if (usage_ && executor.clock().now() < asked_at_ + kFresh) co_return base::ok();
        usage_.reset();
        UsageQuestion question;
        question.of_pods = true;
        const AskNodes ask = [this](std::vector<std::string> names) {
            return ask_nodes(lookup_, nodes_, std::move(names));
        };
        auto collecting = collect_usage(lookup_, question, ask);
        Result<UsageAnswer> usage = co_await collecting;
        if (!usage) co_return usage.error();
        usage_.emplace(std::move(*usage));
        asked_at_ = executor.clock().now();
        co_return base::ok();
    }

    resource::Lookup lookup_;
    NodeGate& nodes_;
    plugin::AsyncLock asking_;
    std::optional<UsageAnswer> usage_;
    base::MonotonicTime asked_at_{};
};

}  // namespace

std::unique_ptr<control::MetricsSource> make_metrics_source(resource::Lookup lookup, NodeGate& nodes) {
    return std::make_unique<UsageSource>(lookup, nodes);
}

}  // namespace keelson::api

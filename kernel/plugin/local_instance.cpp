#include <fcntl.h>

#include <atomic>

#include "kernel/plugin/instance.h"

namespace keelson::plugin {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;

std::int64_t deadline_us(base::Clock& clock, std::chrono::milliseconds timeout) {
    const auto deadline = clock.now() + timeout;
    return std::chrono::duration_cast<std::chrono::microseconds>(deadline.time_since_epoch()).count();
}

class LocalInstance final : public Instance {
  public:
    LocalInstance(std::unique_ptr<LocalPlugin> plugin, base::Executor& executor)
        : plugin_(std::move(plugin)), executor_(executor) {}

    const MethodSet& methods() const override { return plugin_->methods(); }

    Task<Result<Outcome>> call(InstanceCall call) override {
        if (!is_short(call.method)) co_return co_await call_elsewhere(std::move(call));
        Invocation invocation;
        invocation.method = call.method;
        invocation.request = call.request;
        invocation.deadline_us = deadline_us(executor_.clock(), call.timeout);
        invocation.descriptors = std::move(call.descriptors);
        invocation.traceparent = call.traceparent.c_str();
        co_return plugin_->invoke(invocation);
    }

  private:
    // Outlives the caller, who may give up first.
    struct Work {
        InstanceCall call;
        std::vector<base::FileDescriptor> descriptors;
        std::int32_t cancelled = 0;
        std::shared_ptr<LocalPlugin> plugin;
    };

    Task<Result<Outcome>> call_elsewhere(InstanceCall call) {
        auto work = std::make_shared<Work>();
        work->call = std::move(call);
        work->plugin = plugin_;
        for (const int descriptor : work->call.descriptors)
            work->descriptors.emplace_back(::fcntl(descriptor, F_DUPFD_CLOEXEC, 3));
        const std::int64_t deadline = deadline_us(executor_.clock(), work->call.timeout);
        base::Completion<Result<Outcome>> done;
        executor_.run_blocking([work, deadline, done] { done.complete(carry_out(*work, deadline)); });
        auto timer = executor_.post_after(work->call.timeout, [work, done] {
            __atomic_store_n(&work->cancelled, 1, __ATOMIC_RELAXED);
            done.complete(
                Status(Reason::timeout, method_text(work->call.method) + " did not answer in time"));
        });
        auto outcome = co_await done;
        timer->cancel();
        co_return outcome;
    }

    static Result<Outcome> carry_out(const Work& work, std::int64_t deadline) {
        Invocation invocation;
        invocation.method = work.call.method;
        invocation.request = work.call.request;
        invocation.deadline_us = deadline;
        invocation.cancelled = &work.cancelled;
        for (const base::FileDescriptor& descriptor : work.descriptors)
            invocation.descriptors.push_back(descriptor.get());
        invocation.traceparent = work.call.traceparent.c_str();
        return work.plugin->invoke(invocation);
    }

    std::shared_ptr<LocalPlugin> plugin_;
    base::Executor& executor_;
};

}  // namespace

Result<std::shared_ptr<Instance>> make_local_instance(const std::string& library, std::string_view id,
                                                      std::string_view version, HostServices services,
                                                      base::Executor& executor) {
    KEELSON_TRY(auto plugin, load_plugin(library, id, version, std::move(services)));
    return std::shared_ptr<Instance>(std::make_shared<LocalInstance>(std::move(plugin), executor));
}

}  // namespace keelson::plugin

#include "kernel/plugin/kernel_objects.h"

#include <keelson/entry.h>

#include "kernel/plugin/messages.h"

namespace keelson::plugin {
namespace {

Outcome nobody_there() {
    return {KEELSON_UNAVAILABLE, error_document("no kernel is connected at the moment: try again"), {}};
}

}  // namespace

std::uint64_t KernelObjects::ask(ObjectsRequest request, Done done) {
    Frame frame;
    frame.type = FrameType::objects_call;
    frame.method = static_cast<std::uint16_t>(request.verb);
    frame.deadline_us = request.deadline_us;
    frame.body = std::move(request.body);
    {
        // Before it is sent: the answer, or the loss of the kernel, may come at once.
        const std::lock_guard lock(mutex_);
        frame.id = ++next_id_;
        waiting_.emplace(frame.id, std::move(done));
    }
    if (!send_(frame)) finish(frame.id, nobody_there());
    return frame.id;
}

void KernelObjects::cancel(std::uint64_t id) {
    Frame frame;
    frame.type = FrameType::objects_cancel;
    frame.id = id;
    (void)send_(frame);
}

void KernelObjects::take_reply(Frame frame) {
    finish(frame.id, {frame.code, std::move(frame.body), {}});
}

void KernelObjects::finish(std::uint64_t id, Outcome outcome) {
    Done done;
    {
        const std::lock_guard lock(mutex_);
        if (auto node = waiting_.extract(id)) done = std::move(node.mapped());
    }
    if (done) done(std::move(outcome));
}

void KernelObjects::lose() {
    std::map<std::uint64_t, Done> waiting;
    {
        const std::lock_guard lock(mutex_);
        waiting.swap(waiting_);
    }
    for (const auto& [id, done] : waiting) done(nobody_there());
}

}  // namespace keelson::plugin

#include "kernel/plugin/remote_objects.h"

#include <keelson/entry.h>

#include "kernel/plugin/messages.h"

namespace keelson::plugin {
namespace {

// Above what the service takes of one plugin: it says then what is wrong.
constexpr std::size_t kMostAsked = 64;

}  // namespace

RemoteObjects::RemoteObjects(std::shared_ptr<ObjectsService> service, std::shared_ptr<FrameSocket> socket,
                             base::Executor& executor)
    : service_(std::move(service)), socket_(std::move(socket)), executor_(executor) {}

bool RemoteObjects::enter(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    return asked_.size() < kMostAsked && asked_.emplace(id, Asked{}).second;
}

void RemoteObjects::take_call(Frame frame) {
    if (!service_) return refuse(frame.id, KEELSON_UNSUPPORTED, "this kernel does not offer objects");
    if (frame.method >= kObjectVerbs) return refuse(frame.id, KEELSON_UNSUPPORTED, "there is no such method");
    if (!enter(frame.id))
        return refuse(frame.id, KEELSON_EXHAUSTED, "too many calls for objects are under way");
    executor_.run_blocking(
        [self = shared_from_this(), frame = std::move(frame)]() mutable { self->ask(std::move(frame)); });
}

void RemoteObjects::ask(Frame frame) {
    const std::uint64_t id = frame.id;
    ObjectsRequest request{static_cast<ObjectVerb>(frame.method), std::move(frame.body), frame.deadline_us};
    const std::uint64_t number = service_->ask(std::move(request), [weak = weak_from_this(),
                                                                    id](Outcome outcome) {
        const auto self = weak.lock();
        if (!self) return;
        self->executor_.run_blocking([self, id, outcome = std::move(outcome)] { self->answer(id, outcome); });
    });
    bool is_cancelled = false;
    {
        const std::lock_guard lock(mutex_);
        const auto found = asked_.find(id);
        if (found == asked_.end()) return;
        found->second.id = number;
        is_cancelled = found->second.is_cancelled;
    }
    if (is_cancelled) service_->cancel(number);
}

void RemoteObjects::take_cancel(std::uint64_t id) {
    std::uint64_t number = 0;
    {
        const std::lock_guard lock(mutex_);
        const auto found = asked_.find(id);
        if (found == asked_.end()) return;
        found->second.is_cancelled = true;
        number = found->second.id;
    }
    if (number != 0) service_->cancel(number);
}

void RemoteObjects::end() {
    std::map<std::uint64_t, Asked> asked;
    {
        const std::lock_guard lock(mutex_);
        for (auto& [id, one] : asked_) one.is_cancelled = true;
        asked = asked_;
    }
    for (const auto& [id, one] : asked)
        if (one.id != 0) service_->cancel(one.id);
}

void RemoteObjects::answer(std::uint64_t id, const Outcome& outcome) {
    {
        const std::lock_guard lock(mutex_);
        asked_.erase(id);
    }
    Frame reply;
    reply.type = FrameType::objects_reply;
    reply.id = id;
    reply.code = outcome.code;
    reply.body = outcome.body;
    // A process that has gone is noticed by the reader.
    (void)socket_->write(reply);
}

void RemoteObjects::refuse(std::uint64_t id, std::int32_t code, std::string_view message) {
    Frame reply;
    reply.type = FrameType::objects_reply;
    reply.id = id;
    reply.code = code;
    reply.body = error_document(message);
    (void)socket_->write(reply);
}

}  // namespace keelson::plugin

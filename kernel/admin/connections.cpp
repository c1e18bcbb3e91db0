#include "kernel/admin/connections.h"

#include <sys/socket.h>

#include <utility>

namespace keelson::admin {

Connections::Entry::Entry(std::shared_ptr<Connections> all, int descriptor) : all_(std::move(all)) {
    const std::lock_guard lock(all_->mutex_);
    number_ = ++all_->last_;
    all_->open_[number_].descriptor = descriptor;
}

Connections::Entry::~Entry() {
    clear_deadline();
    const std::lock_guard lock(all_->mutex_);
    all_->open_.erase(number_);
    all_->changed_.notify_all();
}

void Connections::Entry::set_deadline(std::chrono::milliseconds limit) {
    clear_deadline();
    const std::lock_guard lock(all_->mutex_);
    Open& open = all_->open_[number_];
    const std::uint64_t deadline = ++open.deadline;
    open.timer = all_->executor_.post_after(limit, [weak = std::weak_ptr(all_), number = number_, deadline] {
        if (const auto all = weak.lock()) all->expire(number, deadline);
    });
}

void Connections::Entry::clear_deadline() {
    std::shared_ptr<base::Timer> timer;
    {
        const std::lock_guard lock(all_->mutex_);
        Open& open = all_->open_[number_];
        ++open.deadline;
        timer = std::exchange(open.timer, nullptr);
    }
    if (timer) timer->cancel();
}

void Connections::Entry::set_idle(bool idle) {
    const std::lock_guard lock(all_->mutex_);
    all_->open_[number_].is_idle = idle;
}

void Connections::expire(std::uint64_t number, std::uint64_t deadline) {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(number);
    if (found != open_.end() && found->second.deadline == deadline)
        ::shutdown(found->second.descriptor, SHUT_RDWR);
}

void Connections::stop_idle() {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, open] : open_)
        if (open.is_idle) ::shutdown(open.descriptor, SHUT_RDWR);
}

void Connections::stop_all() {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, open] : open_) ::shutdown(open.descriptor, SHUT_RDWR);
}

bool Connections::wait_until_none(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [this] { return open_.empty(); });
}

}  // namespace keelson::admin

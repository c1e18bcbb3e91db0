#include "watcher.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "files.h"

namespace keelson::oci {

Watcher::Watcher(Ready ready)
    : ready_(std::move(ready)), poll_(::epoll_create1(EPOLL_CLOEXEC)), end_(::eventfd(0, EFD_CLOEXEC)) {
    if (!poll_ || !end_) throw system_error("making an event queue");
    add(end_.get(), "");
    thread_ = std::thread([this] { run(); });
}

void Watcher::add(int descriptor, const std::string& name) {
    {
        const std::lock_guard lock(mutex_);
        names_[descriptor] = name;
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0)
        throw system_error("watching a shim");
}

void Watcher::remove(int descriptor) {
    ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
    const std::lock_guard lock(mutex_);
    names_.erase(descriptor);
}

void Watcher::stop() {
    if (!thread_.joinable()) return;
    ::eventfd_write(end_.get(), 1);
    thread_.join();
}

void Watcher::run() {
    for (;;) {
        epoll_event event{};
        if (::epoll_wait(poll_.get(), &event, 1, -1) != 1) continue;
        if (event.data.fd == end_.get()) return;
        std::string name;
        {
            const std::lock_guard lock(mutex_);
            const auto found = names_.find(event.data.fd);
            if (found == names_.end()) continue;
            name = found->second;
        }
        ready_(name);
    }
}

}  // namespace keelson::oci

// What the shim waits for, gathered anew for every round. Every descriptor is non-blocking, so a handler that
// is called for nothing, because an earlier one has closed what it was told of, does no harm.
#ifndef KEELSON_OCI_SHIM_POLLER_H
#define KEELSON_OCI_SHIM_POLLER_H

#include <poll.h>

#include <cstdint>

namespace keelson::oci::shim {

class Poller {
  public:
    using Handler = void (*)(void* object, short events);

    void begin() { count_ = 0; }
    // Descriptors below 0 are ignored, and so are those beyond the bound.
    void add(int descriptor, short events, Handler handler, void* object) {
        if (descriptor < 0 || count_ == most) return;
        polled_[count_] = {descriptor, events, 0};
        handlers_[count_] = handler;
        objects_[count_++] = object;
    }
    // Ends after wait_ms at the latest; below 0: never.
    void wait(int wait_ms) {
        if (::poll(polled_, count_, wait_ms) <= 0) return;
        for (unsigned index = 0; index < count_; ++index)
            if (polled_[index].revents != 0) handlers_[index](objects_[index], polled_[index].revents);
    }

  private:
    static constexpr unsigned most = 1024;
    unsigned count_ = 0;
    pollfd polled_[most];
    Handler handlers_[most];
    void* objects_[most];
};

}  // namespace keelson::oci::shim

#endif

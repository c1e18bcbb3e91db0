// One thread for the events of all shims.
#ifndef KEELSON_OCI_WATCHER_H
#define KEELSON_OCI_WATCHER_H

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "keelson/call.hpp"

namespace keelson::oci {

class Watcher {
  public:
    // Called by the thread, with the name of a descriptor that can be read or has been left by its other
    // side.
    using Ready = std::function<void(const std::string& name)>;

    explicit Watcher(Ready ready);
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    ~Watcher() { stop(); }

    // The descriptor stays the caller's; closing it ends the watch.
    void add(int descriptor, const std::string& name);
    void remove(int descriptor);
    // No call comes after it.
    void stop();

  private:
    void run();

    Ready ready_;
    Descriptor poll_;
    Descriptor end_;
    std::mutex mutex_;
    std::map<int, std::string> names_;
    std::thread thread_;
};

}  // namespace keelson::oci

#endif

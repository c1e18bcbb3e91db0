// Network namespaces that a test makes, and what runs in them. They end with their last descriptor.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "kernel/base/files.h"

namespace keelson::testing {

class NetworkNamespace {
  public:
    // A new one with its loopback device up. Throws when it may not be made.
    NetworkNamespace();

    [[nodiscard]] int descriptor() const { return descriptor_.get(); }
    // In a thread of its own that has entered it. What is thrown there is thrown here.
    void run(const std::function<void()>& work) const;
    // Whether the calling thread is in it.
    [[nodiscard]] bool is_here() const;
    // The output of a command; throws with it when the command fails.
    [[nodiscard]] std::string output(const std::string& command) const;
    [[nodiscard]] std::multiset<std::string> sorted_lines(const std::string& command) const;
    void command(const std::string& command) const { (void)output(command); }
    void close() { descriptor_ = {}; }

  private:
    base::FileDescriptor descriptor_;
};

struct Endpoint {
    std::string address;
    int port = 0;
};

// Connects by TCP from one namespace to the target, while a server listens at the endpoint in another one.
// Gives the address that the server has seen as the client's; empty when no connection came about.
std::string connect_between(const NetworkNamespace& client, const Endpoint& target,
                            const NetworkNamespace& server, const Endpoint& endpoint);

// Why namespaces cannot be made here; empty: they can.
std::string why_no_namespaces();

}  // namespace keelson::testing

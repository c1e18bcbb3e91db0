// A node with pods, another node with pods and a client outside, each in a network namespace of its own, and
// servers in them that say who they are. For the tests of service proxies; making it starts no process.
#pragma once

#include <netinet/in.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kernel/base/files.h"
#include "tests/plugins/network/namespaces.h"

namespace keelson::testing {

enum class Transport { tcp, udp, sctp };

struct Target {
    std::string address;
    int port = 0;
    Transport transport = Transport::tcp;
    bool breaks_off = false;  // the client resets its connections, so that nobody keeps them in mind for long
};

struct Heard {
    enum Outcome { answered, refused, silent } outcome = silent;
    std::string who;      // the server's name
    std::string backend;  // the address and port that it was asked at: "10.244.1.11 8080"
    std::string source;   // the address that it has seen as the client's
    [[nodiscard]] bool ok() const { return outcome == answered; }
};

// Serves TCP and UDP (and SCTP where the system has it) in one thread: each connection and each datagram is
// answered with the name and both addresses; what comes on a connection later comes back.
class Servers {
  public:
    Servers();
    ~Servers();
    Servers(const Servers&) = delete;
    Servers& operator=(const Servers&) = delete;

    void listen(const NetworkNamespace& space, const std::string& name, int port);
    void listen(const NetworkNamespace& space, const std::string& name, int port, Transport transport);
    // Closes what listens under that name, and all of its connections.
    void stop(const std::string& name);

  private:
    struct Entry {
        base::FileDescriptor socket;
        std::string name;
        Transport transport = Transport::tcp;
        bool is_listening = false;
    };
    void serve();
    void handle(Entry& entry);
    void accept_all(Entry& entry);
    void answer_all(const Entry& entry);
    void add(Entry entry);

    base::FileDescriptor poll_;
    base::FileDescriptor wake_;
    std::mutex mutex_;
    std::map<int, Entry> entries_;
    std::atomic<bool> is_ending_ = false;
    std::thread thread_;
};

// A busy machine is no loss, nor is a packet that TCP or SCTP, which waits three seconds, sends once more.
constexpr int long_patience_ms = 10'000;

// One question on a connection, or port, of its own. source_port 0: whichever.
Heard ask(const NetworkNamespace& from, const Target& target, int patience_ms = long_patience_ms,
          int source_port = 0);
// From where the calling thread is.
Heard ask_here(const Target& target, int patience_ms = long_patience_ms, int source_port = 0);
std::vector<Heard> ask_many(const NetworkNamespace& from, const Target& target, int count,
                            int patience_ms = long_patience_ms);

// A TCP connection that stays, or a UDP socket.
class Connection {
  public:
    Connection(const NetworkNamespace& from, const Target& target, int source_port = 0,
               int patience_ms = long_patience_ms);
    [[nodiscard]] const Heard& heard() const { return heard_; }
    // Whether what is sent comes back.
    bool echoes(const std::string& text);
    // Of UDP: who answers now.
    Heard ask_again(int patience_ms = long_patience_ms);

  private:
    base::FileDescriptor socket_;
    Transport transport_;
    Heard heard_;
};

struct Pod {
    std::string name;
    NetworkNamespace space;
    std::string address;
    std::string address6;
    bool is_local = false;
};

class ProxyWorld {
  public:
    ProxyWorld();

    static constexpr int port = 8080;  // that all pods serve, and the next one

    NetworkNamespace wire;
    NetworkNamespace node;  // 192.0.2.1, 192.0.2.11, 2001:db8::1
    NetworkNamespace other;
    NetworkNamespace client;  // 192.0.2.3, 2001:db8::3, outside of the cluster
    Servers servers;

    // "a", "b" and "c" are on the node, "x" and "y" on the other one. "farm" is on the node and has all
    // addresses of 10.245.0.0/16.
    Pod& pod(const std::string& name);
    // Starts a pod's servers, again after Servers::stop.
    void serve(const Pod& pod);
    // Chains and rules of the node's packet filter, of both families in all tables, sorted and without
    // counters.
    [[nodiscard]] std::string rules_of_node() const;

  private:
    void join_wire(const NetworkNamespace& space, const std::string& port, int number);
    void add_pod(const NetworkNamespace& host, int host_number, const std::string& name, int number);

    std::map<std::string, std::unique_ptr<Pod>> pods_;
};

bool has_sctp();

// Polls until it is so, for at most that long.
template <typename Condition>
bool eventually(Condition condition, std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
}

}  // namespace keelson::testing

// A thread that carries connections and datagrams between clients and backends.
#ifndef KEELSON_USERSPACE_CARRIER_H
#define KEELSON_USERSPACE_CARRIER_H

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "routes.h"
#include "sockets.h"
#include "stream.h"

namespace keelson::userspace {

struct Limits {
    std::size_t connections = 8192;  // of one carrier; more wait in the kernel's queue
    std::size_t sessions = 16'384;   // of datagrams; more are dropped
    std::chrono::seconds udp_idle{60};
    std::chrono::seconds connect_patience{5};
};

// In the network namespace of the thread that makes it. What it needs of the plugin outlives it.
class Carrier {
  public:
    Carrier(std::vector<Descriptor> tcp_listeners, const CurrentRoutes& routes, const Limits& limits);
    ~Carrier();
    Carrier(const Carrier&) = delete;
    Carrier& operator=(const Carrier&) = delete;

    // From any thread: datagrams that come to the socket belong to the route's service. Gives a number to
    // change or end it with.
    std::uint64_t add_service(Descriptor socket, RoutePointer route);
    void change_service(std::uint64_t number, RoutePointer route);
    void remove_service(std::uint64_t number);

  private:
    struct Watched;
    struct Listener;
    struct Connection;
    struct Side;
    struct UdpService;
    struct Session;

    void run();
    void later(std::function<void()> work);
    void run_later();
    void sweep();

    void accept_all(Listener& listener);
    void set_accepting(bool is_accepting);
    void open(Descriptor client, int family, const Address& address);
    void connect_next(Connection& connection);
    void on_side(Side& side, std::uint32_t events);
    void pump(Connection& connection);
    void close(Connection& connection);

    void on_datagrams(UdpService& service);
    void on_answers(Session& session);
    Session* session_for(UdpService& service, const SocketAddress& client, const Address& own);
    void close(Session& session);

    void watch(int descriptor, Watched& watched, std::uint32_t events);

    const CurrentRoutes& routes_;
    const Limits limits_;
    Descriptor poll_;
    Descriptor wake_;
    std::atomic<bool> is_ending_ = false;
    std::mutex mutex_;
    std::vector<std::function<void()>> work_;
    std::atomic<std::uint64_t> last_number_ = 0;

    // Of the thread.
    PipePool pipes_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    bool is_accepting_ = true;
    std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
    std::deque<Connection*> turns_;  // that have more to move at once
    std::unordered_map<std::uint64_t, std::unique_ptr<UdpService>> services_;
    std::size_t session_count_ = 0;
    // What is closed while events about it may still be at hand.
    std::vector<std::unique_ptr<Watched>> closed_;
    std::vector<std::unique_ptr<Connection>> closed_connections_;
    Clock::time_point next_sweep_;

    std::thread thread_;
};

}  // namespace keelson::userspace

#endif

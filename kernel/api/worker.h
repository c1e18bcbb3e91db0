// What the connections of one I/O thread share, and what all threads of a server share. Internal to the room.
#pragma once

#include <array>
#include <atomic>
#include <ctime>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "kernel/api/io_loop.h"
#include "kernel/api/server.h"
#include "kernel/base/ids.h"

namespace keelson::api {

class Connection;

struct ServerShared {
    ServerLimits limits;
    Handler handler;
    std::atomic<std::size_t> connections{0};
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> refused{0};
    std::atomic<std::uint64_t> evicted{0};
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> handshake_failures{0};
    std::atomic<std::size_t> body_bytes{0};
    std::atomic<bool> stopping{false};

    [[nodiscard]] std::shared_ptr<const TlsContext> tls() const {
        const std::lock_guard lock(tls_mutex);
        return tls_context;
    }
    mutable std::mutex tls_mutex;
    std::shared_ptr<const TlsContext> tls_context;
};

// Touched by its own thread only, but for `loop` and `thread`.
struct Worker {
    Worker(ServerShared& server, base::Executor& background)
        : shared(server), loop(background), audit_ids(base::system_random().next()) {}

    ServerShared& shared;
    IoLoop loop;
    std::thread thread;
    base::SeededRandom audit_ids;  // unique, not secret: no system call a request
    std::list<std::shared_ptr<Connection>> connections;
    std::list<Connection*> idle;             // between two requests, the longest idle one first
    std::atomic<std::size_t> idle_count{0};  // idle.size(), for other threads to read

    // One read and one answer at a time: connections borrow these between two suspension points, so that an
    // idle connection owns no buffer at all.
    std::array<char, 32 << 10> input;
    std::string output;

    // "Sun, 06 Nov 1994 08:49:37 GMT", made once a second.
    std::string_view http_date();
    void add(std::shared_ptr<Connection> connection);
    // Closes connections whose time is up; runs by itself while there are any.
    void schedule_sweep();
    void begin_shutdown();
    void abort_all();

  private:
    void sweep();
    bool sweep_scheduled_ = false;
    std::time_t date_second_ = 0;
    std::string date_;
};

}  // namespace keelson::api

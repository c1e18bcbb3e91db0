// The open connections: their deadlines, and how they are ended from outside.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "kernel/base/executor.h"

namespace keelson::admin {

// Thread-safe. A connection that is ended gets shutdown(2): whoever reads or writes it wakes up and leaves.
class Connections : public std::enable_shared_from_this<Connections> {
  public:
    explicit Connections(base::Executor& executor) : executor_(executor) {}

    // Lives as long as the descriptor is open.
    class Entry {
      public:
        Entry(std::shared_ptr<Connections> all, int descriptor);
        ~Entry();
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;

        // Ends the connection after this time, unless it is set anew or cleared before.
        void set_deadline(std::chrono::milliseconds limit);
        void clear_deadline();
        // Between two requests a connection is ended by stop_idle().
        void set_idle(bool idle);

      private:
        std::shared_ptr<Connections> all_;
        std::uint64_t number_;
    };

    void stop_idle();
    void stop_all();
    // False: some are still open after that time.
    bool wait_until_none(std::chrono::milliseconds limit);

  private:
    struct Open {
        int descriptor = -1;
        bool is_idle = true;
        std::uint64_t deadline = 0;  // counts settings: a timer of an older one does nothing
        std::shared_ptr<base::Timer> timer;
    };
    void expire(std::uint64_t number, std::uint64_t deadline);

    base::Executor& executor_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::uint64_t, Open> open_;
    std::uint64_t last_ = 0;
};

}  // namespace keelson::admin

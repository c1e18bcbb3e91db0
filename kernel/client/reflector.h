// Reflector: follows a collection for somebody who keeps a picture of it. It lists, watches from there, and
// goes on where it was after a failure, with growing pauses; it lists again when the server has forgotten its
// revision.
//
// Everything happens on the executor of the task that run()s, which runs one callback at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernel/base/ids.h"
#include "kernel/base/task.h"
#include "kernel/client/client.h"

namespace keelson::base {
class Pause;
}

namespace keelson::client {

class Reflector {
  public:
    // What a list and a watch of its collection say, in order.
    class Sink {
      public:
        virtual ~Sink() = default;
        // A list begins: what is taken until its end is all that there is. It may begin anew before it ends.
        virtual void begin_list() = 0;
        virtual void take(const Page& page) = 0;
        virtual void end_list(const std::string& resource_version) = 0;
        virtual void apply(const std::vector<WatchEvent>& events) = 0;
        // It is tried again.
        virtual void fail(const base::Status& failure) = 0;
    };
    struct Subject {
        Address collection;
        std::string field_selector;
        std::int64_t page_size = 500;
    };

    Reflector(Client& client, base::RandomSource& random, Subject subject, Sink& sink);
    ~Reflector();
    Reflector(const Reflector&) = delete;
    Reflector& operator=(const Reflector&) = delete;

    // Until stop(). Once; the reflector and its sink outlive the task.
    base::Task<void> run();
    void stop();
    [[nodiscard]] bool is_stopping() const { return is_stopping_; }
    // Ends the pause that follows a failure.
    void retry();

  private:
    base::Task<base::Result<void>> list();
    base::Task<base::Result<void>> follow();
    base::Task<void> pause(unsigned failures);

    Client& client_;
    base::RandomSource& random_;
    Subject subject_;
    Sink& sink_;
    std::string version_seen_;
    std::unique_ptr<Watch> watch_;
    std::shared_ptr<base::Pause> pause_;
    bool needs_list_ = true;
    bool is_stopping_ = false;
};

}  // namespace keelson::client

// Streams of clients that are attached to running containers.
#ifndef KEELSON_SIM_ATTACHMENTS_H
#define KEELSON_SIM_ATTACHMENTS_H

#include <map>
#include <string>

#include "keelson/error.hpp"
#include "streams.h"

class Attachments {
  public:
    // Adds one to the container's; answers the client's side of a stream that says how the container ends.
    keelson::Descriptor add(const std::string& container_id, keelson::Descriptor output) {
        if (attached_.size() >= maximum)
            throw keelson::Error(keelson::Code::exhausted, "too many clients are attached to containers");
        Stream ending = make_stream();
        attached_.emplace(container_id, Attached{std::move(output), std::move(ending.ours)});
        return std::move(ending.theirs);
    }
    void end(const std::string& container_id, int exit_code) {
        const auto [first, last] = attached_.equal_range(container_id);
        for (auto one = first; one != last; ++one) write_some(one->second.ending, exit_document(exit_code));
        attached_.erase(first, last);
    }

  private:
    static constexpr std::size_t maximum = 256;
    struct Attached {
        keelson::Descriptor output;  // stays open as long as the container runs
        keelson::Descriptor ending;
    };
    std::multimap<std::string, Attached> attached_;
};

#endif

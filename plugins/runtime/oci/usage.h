// How much containers have written into their file systems. Counting is a walk, so an answer is kept for a
// while, and a walk has a bound.
#ifndef KEELSON_OCI_USAGE_H
#define KEELSON_OCI_USAGE_H

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace keelson::oci {

class UsageCache {
  public:
    // Bytes on the disk below the directory, as of at most a minute ago.
    [[nodiscard]] std::int64_t bytes(const std::string& directory, std::int64_t now_us);
    void forget(const std::string& directory);

  private:
    struct Counted {
        std::int64_t bytes = 0;
        std::int64_t at_us = 0;
    };
    std::mutex mutex_;
    std::map<std::string, Counted> counted_;
};

}  // namespace keelson::oci

#endif

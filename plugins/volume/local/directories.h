// Volumes as directories below one root. Pods write into them as root: what is in them is hostile.
#ifndef KEELSON_LOCAL_DIRECTORIES_H
#define KEELSON_LOCAL_DIRECTORIES_H

#include <cstdint>
#include <mutex>
#include <string>

#include "keelson/call.hpp"

namespace keelson::local {

// The root belongs to root alone, so that nobody on the machine reaches the volumes in it, which anybody in a
// pod may write to. Thread-safe; every call may be repeated.
class Directories {
  public:
    // Makes the root when it is missing; refuses one that is a link, another user's or writable for others.
    // Finishes removals that were cut off.
    explicit Directories(std::string root);

    // There as a whole or not at all.
    void make(const std::string& name);
    // Whatever is in it; links are removed and not followed. Nothing there is fine.
    void remove(const std::string& name);
    // Of the volume itself; Code::not_found when there is none.
    [[nodiscard]] Descriptor open(const std::string& name) const;
    [[nodiscard]] std::uint64_t available_bytes() const;

  private:
    void finish_removal(const std::string& moved);
    void try_removal(const std::string& moved);

    std::string path_;
    Descriptor root_;
    std::mutex changing_;
};

// Shows the volume at a path whose directory exists. `flags` are those of mount(2): MS_RDONLY and the like.
void show(const Descriptor& volume, const std::string& path, unsigned long flags);
// The path is gone afterwards.
void hide(const std::string& path);

}  // namespace keelson::local

#endif

// The control groups of pods and containers: the separate hierarchies of version 1 (also in the hybrid
// layout, whose version 2 part is left alone), or version 2. A group is a path below the root of every
// hierarchy.
#ifndef KEELSON_OCI_CGROUPS_H
#define KEELSON_OCI_CGROUPS_H

#include <cstdint>
#include <string>
#include <vector>

#include "keelson/runtime.hpp"

namespace keelson::oci {

struct Consumption {
    std::int64_t cpu_ns = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t working_set_bytes = 0;
    std::int64_t processes = 0;
};

class Cgroups {
  public:
    // Reads what is mounted. Throws when that is nothing.
    Cgroups();

    // Makes the group where pods are accounted for; what is there stays.
    void make(const std::string& path) const;
    void limit(const std::string& path, const runtime::Resources& resources) const;
    // The directories that a process of the group joins.
    [[nodiscard]] std::vector<std::string> accounting(const std::string& path) const;
    // All directories that the group may have, the one to find processes in first.
    [[nodiscard]] std::vector<std::string> all(const std::string& path) const;
    // The file that counts kills for lack of memory.
    [[nodiscard]] std::string kills_file(const std::string& path) const;
    [[nodiscard]] Consumption consumption(const std::string& path) const;

    // Ends every process in it and in the groups below, and removes them. False when something is left: a
    // process that waits for a device.
    [[nodiscard]] bool destroy(const std::string& path) const;
    // Removes the group itself, if nothing is in it.
    void remove_if_empty(const std::string& path) const;

  private:
    [[nodiscard]] const std::string& root_of(const char* controller) const;

    struct Hierarchy {
        std::string root;
        std::vector<std::string> controllers;
    };
    std::vector<Hierarchy> hierarchies_;
    bool is_unified_ = false;
};

}  // namespace keelson::oci

#endif

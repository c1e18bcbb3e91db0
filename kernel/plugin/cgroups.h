// A control group for one isolated plugin: version 2, or the separate hierarchies of version 1. All calls
// block.
#pragma once

#include <string>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/plugin/manifest.h"

namespace keelson::plugin {

class PluginCgroup {
  public:
    // Makes (or finds) keelson/<name> with the limits. Without the rights or the file systems for it, it has
    // no directories and bounds nothing; `missing` then says why.
    static PluginCgroup make(const std::string& name, const Limits& limits);

    // Directories that a process joins by writing to cgroup.procs.
    [[nodiscard]] const std::vector<std::string>& directories() const { return directories_; }
    [[nodiscard]] const std::string& missing() const { return missing_; }
    // Ends every process inside, those that fork meanwhile too.
    void kill_all() const;
    // Removes the directories; fails silently while something is inside.
    void remove() const;

  private:
    std::vector<std::string> directories_;
    std::string missing_;
};

}  // namespace keelson::plugin

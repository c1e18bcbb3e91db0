// Writes the entries of a layer below one directory, whatever they are called.
//
// A path is split into components; ".." is refused and every parent is opened beneath the root with no
// symbolic link followed, so nothing is ever written, linked or changed outside.
#ifndef KEELSON_OCI_TREE_WRITER_H
#define KEELSON_OCI_TREE_WRITER_H

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "keelson/call.hpp"
#include "size_limits.h"

namespace keelson::oci {

struct Attributes {
    mode_t mode = 0;  // permissions, setuid, setgid, sticky
    uid_t owner = 0;
    gid_t group = 0;
    timespec modified{};
    std::vector<std::pair<std::string, std::string>> extended;  // those that are kept
};

class TreeWriter {
  public:
    // The descriptor stays the caller's.
    TreeWriter(int root, const Limits& limits) : root_(root), limits_(limits) {}

    void directory(const std::string& path, const Attributes& attributes);
    // The file is open for writing; call finish_file() with it after that.
    [[nodiscard]] Descriptor file(const std::string& path);
    static void finish_file(const Descriptor& file, const Attributes& attributes);
    void symbolic_link(const std::string& path, const std::string& target, const Attributes& attributes);
    // target: a path in the same layer.
    void hard_link(const std::string& path, const std::string& target);
    // mode with its type: S_IFCHR, S_IFBLK, S_IFIFO.
    void node(const std::string& path, mode_t mode, dev_t device, const Attributes& attributes);

    // Directories get their times last. Answers the directories that no entry described ("." is the root),
    // which are to look like those of the layers below.
    [[nodiscard]] std::set<std::string> finish();

    [[nodiscard]] std::uint64_t inodes() const { return inodes_; }

  private:
    struct Place {
        int parent = -1;   // borrowed from the cache
        std::string name;  // empty: the root itself
        std::string path;
    };

    [[nodiscard]] Place place_of(const std::string& path);
    [[nodiscard]] int open_parent(const std::string& path);
    [[nodiscard]] Descriptor make_parents(const std::string& path);
    [[nodiscard]] bool take_whiteout(const Place& place);
    void whiteout(const Place& place, const std::string& hidden);
    void clear(const Place& place);
    void apply_root(const Attributes& attributes);

    int root_;
    const Limits& limits_;
    std::string cached_path_;
    Descriptor cached_parent_;
    std::map<std::string, timespec> directory_times_;
    std::set<std::string> implicit_directories_ = {"."};
    std::uint64_t inodes_ = 1;
};

}  // namespace keelson::oci

#endif

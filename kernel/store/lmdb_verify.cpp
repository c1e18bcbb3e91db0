#include "kernel/store/lmdb_verify.h"

#include <fcntl.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "kernel/base/files.h"

namespace keelson::store {
namespace {

using base::Reason;
using base::Result;
using base::Status;

// The file format of LMDB 0.9 on a 64-bit little-endian machine, from its mdb.c. (MDB_page, MDB_node, MDB_db,
// MDB_meta; data format version 1.)
constexpr std::uint32_t kMagic = 0xbeefc0de;
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kPageHead = 16;
constexpr std::size_t kNodeHead = 8;
constexpr std::uint64_t kNoPage = ~0ull;
constexpr std::uint16_t kBranch = 0x01;
constexpr std::uint16_t kLeaf = 0x02;
constexpr std::uint16_t kOverflow = 0x04;
constexpr std::uint16_t kMeta = 0x08;
constexpr std::uint16_t kBigData = 0x01;
constexpr std::uint16_t kSubData = 0x02;
constexpr std::uint16_t kDupData = 0x04;
constexpr std::uint16_t kIntegerKey = 0x08;
constexpr std::size_t kMaximumPageBytes = 65536;
constexpr unsigned kMaximumDepth = 32;
constexpr std::uint64_t kMaximumUnwrittenPages = 1'000'000;

struct Tree {
    std::uint32_t pad;  // of the free tree: the page size
    std::uint16_t flags;
    std::uint16_t depth;
    std::uint64_t branch_pages;
    std::uint64_t leaf_pages;
    std::uint64_t overflow_pages;
    std::uint64_t entries;
    std::uint64_t root;
};
static_assert(sizeof(Tree) == 48);

struct Meta {
    std::uint32_t magic;
    std::uint32_t version;
    std::uint64_t address;
    std::uint64_t map_bytes;
    Tree trees[2];  // the free tree, the main tree
    std::uint64_t last_page;
    std::uint64_t transaction;
};
static_assert(sizeof(Meta) == 136);

template <typename T>
T load(const char* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

struct Node {
    std::string_view key;
    std::uint16_t flags;
    std::uint64_t child;        // of a branch node
    std::uint64_t data_length;  // of a leaf node
    const char* data;           // of a leaf node: the value, or the number of its first overflow page
};

class Verifier {
  public:
    Verifier(const std::string& path, int descriptor, std::uint64_t file_bytes)
        : path_(path), descriptor_(descriptor), file_bytes_(file_bytes) {}

    Result<void> run() {
        KEELSON_TRY(const Meta meta, newest_meta());
        used_.assign(meta.last_page + 1, Use::none);
        used_[0] = used_[1] = Use::tree;
        KEELSON_TRY_VOID(walk_tree(meta.trees[1], "main"));
        for (const auto& [name, tree] : named_) KEELSON_TRY_VOID(walk_tree(tree, name));
        in_free_tree_ = true;
        KEELSON_TRY_VOID(walk_tree(meta.trees[0], "free"));
        return mark_free();
    }

  private:
    enum class Use : std::uint8_t { none, tree, free };
    struct Counts {
        std::uint64_t branch = 0;
        std::uint64_t leaf = 0;
        std::uint64_t overflow = 0;
        std::uint64_t entries = 0;
    };

    Status damaged(const std::string& what) const {
        return {Reason::store_read_error,
                path_ + " is damaged (" + what +
                    "): restore a snapshot, or move the data directory away to start empty"};
    }
    Status damaged_page(std::uint64_t page, const std::string& what) const {
        return damaged("page " + std::to_string(page) + ": " + what);
    }

    Result<Meta> newest_meta() {
        char page[kPageHead + sizeof(Meta)];
        if (file_bytes_ < sizeof page)
            return damaged("the file has only " + std::to_string(file_bytes_) + " bytes");
        KEELSON_TRY_VOID(base::read_at(descriptor_, page, sizeof page, 0, path_));
        KEELSON_TRY(const Meta first, parse_meta(page, 0));
        page_bytes_ = first.trees[0].pad;
        if (page_bytes_ < 512 || page_bytes_ > kMaximumPageBytes || (page_bytes_ & (page_bytes_ - 1)) != 0) {
            return damaged_page(0, "a page size of " + std::to_string(page_bytes_));
        }
        if (file_bytes_ < 2 * page_bytes_) return damaged("the file ends inside its first two pages");
        KEELSON_TRY_VOID(base::read_at(descriptor_, page, sizeof page, page_bytes_, path_));
        KEELSON_TRY(const Meta second, parse_meta(page, 1));
        if (second.trees[0].pad != page_bytes_) return damaged_page(1, "another page size than page 0");
        const Meta& meta = first.transaction >= second.transaction ? first : second;
        const std::uint64_t page_number = first.transaction >= second.transaction ? 0 : 1;
        // Free pages at the end may never have been written, so the file may be shorter than this; what is
        // used is checked page by page.
        if (meta.last_page < 1 || meta.last_page > file_bytes_ / page_bytes_ + kMaximumUnwrittenPages) {
            return damaged_page(page_number, "a last page of " + std::to_string(meta.last_page));
        }
        if ((meta.last_page + 1) * page_bytes_ > meta.map_bytes) {
            return damaged_page(page_number, "more pages than its map holds");
        }
        return meta;
    }

    Result<Meta> parse_meta(const char* page, std::uint64_t number) const {
        const auto meta = load<Meta>(page + kPageHead);
        if (load<std::uint64_t>(page) != number || load<std::uint16_t>(page + 10) != kMeta) {
            return damaged_page(number, "not a meta page, so this may not be a store at all");
        }
        if (meta.magic != kMagic) return damaged_page(number, "no LMDB file");
        if ((meta.version & 0x7fffffff) != kVersion)
            return damaged_page(number, "an LMDB file of another version");
        return meta;
    }

    Result<void> claim(std::uint64_t page, std::uint64_t count, Use use) {
        for (std::uint64_t next = page; next < page + count; ++next) {
            if (next < 2 || next >= used_.size()) return damaged_page(next, "outside of the file's pages");
            if (used_[next] != Use::none) return damaged_page(next, "used twice");
            used_[next] = use;
        }
        return {};
    }

    Result<void> walk_tree(const Tree& tree, const std::string& name) {
        if (tree.root == kNoPage) {
            if (tree.entries != 0) return damaged("the " + name + " tree has lost its root");
            return {};
        }
        if (tree.depth == 0 || tree.depth > kMaximumDepth)
            return damaged("the " + name + " tree has a bad depth");
        // The free tree carries the flags of the environment beside its own.
        const auto allowed = in_free_tree_ ? std::uint16_t{0xfff8} : kIntegerKey;
        if ((tree.flags & ~allowed) != 0) return damaged("the " + name + " tree has bad flags");
        integer_keys_ = in_free_tree_ || (tree.flags & kIntegerKey) != 0;
        Counts counts;
        KEELSON_TRY_VOID(walk_page(tree.root, tree.depth, {}, {}, counts));
        if (counts.branch != tree.branch_pages || counts.leaf != tree.leaf_pages ||
            counts.overflow != tree.overflow_pages || counts.entries != tree.entries) {
            return damaged("the " + name + " tree does not have the pages that it counts");
        }
        return {};
    }

    // depth: levels from this page down; keys are within [low, high), empty = unbounded.
    Result<void> walk_page(std::uint64_t number, unsigned depth, const std::string& low,
                           const std::string& high, Counts& counts) {
        KEELSON_TRY_VOID(claim(number, 1, Use::tree));
        KEELSON_TRY(const std::string page, load_page(number));
        // Exactly: a page that says it is being written would be written in place by LMDB.
        const auto type = load<std::uint16_t>(page.data() + 10);
        if (type != (depth == 1 ? kLeaf : kBranch))
            return damaged_page(number, "of the wrong type for its place");
        const std::size_t lower = load<std::uint16_t>(page.data() + 12);
        const std::size_t upper = load<std::uint16_t>(page.data() + 14);
        if (lower < kPageHead || lower > upper || upper > page_bytes_ || lower % 2 != 0) {
            return damaged_page(number, "with bad bounds");
        }
        const std::size_t count = (lower - kPageHead) / 2;
        if (count < (depth == 1 || in_free_tree_ ? 1u : 2u))
            return damaged_page(number, "with too few entries");
        ++(depth == 1 ? counts.leaf : counts.branch);
        std::string previous = low;
        bool bounded = !low.empty();
        for (std::size_t index = 0; index < count; ++index) {
            KEELSON_TRY(const Node node, parse_node(page, number, index, upper, depth == 1));
            // The first key of a branch page stands for everything before the second and is not looked at.
            const bool silent = depth > 1 && index == 0;
            if (!silent) {
                KEELSON_TRY_VOID(check_key(number, node.key));
                const int order = bounded ? compare(previous, node.key) : -1;
                const bool equal_allowed = index == 0;  // the separator above repeats the first key
                if (order > 0 || (order == 0 && !equal_allowed))
                    return damaged_page(number, "with keys out of order");
                if (!high.empty() && compare(node.key, high) >= 0) {
                    return damaged_page(number, "with a key outside of its range");
                }
                previous = node.key;
                bounded = true;
            }
            if (depth == 1) {
                ++counts.entries;
                KEELSON_TRY_VOID(check_leaf_node(number, node, counts));
                continue;
            }
            std::string child_high = high;
            if (index + 1 < count) {
                KEELSON_TRY(const Node next, parse_node(page, number, index + 1, upper, false));
                child_high = next.key;
            }
            KEELSON_TRY_VOID(
                walk_page(node.child, depth - 1, silent ? low : std::string(node.key), child_high, counts));
        }
        return {};
    }

    Result<void> check_key(std::uint64_t number, std::string_view key) const {
        if (key.empty() || key.size() > 511) return damaged_page(number, "with a key of a bad size");
        if (integer_keys_ && key.size() != 8) return damaged_page(number, "with a key that is no number");
        return {};
    }

    int compare(std::string_view a, std::string_view b) const {
        if (!integer_keys_) return a.compare(b);
        const auto left = load<std::uint64_t>(a.data());
        const auto right = load<std::uint64_t>(b.data());
        return left < right ? -1 : left > right ? 1 : 0;
    }

    Result<std::string> load_page(std::uint64_t number) const {
        if ((number + 1) * page_bytes_ > file_bytes_) {
            return damaged_page(number, "missing, because the file was cut short to " +
                                            std::to_string(file_bytes_) + " bytes");
        }
        std::string page(page_bytes_, '\0');
        KEELSON_TRY_VOID(base::read_at(descriptor_, page.data(), page_bytes_, number * page_bytes_, path_));
        if (load<std::uint64_t>(page.data()) != number)
            return damaged_page(number, "with the number of another page");
        return page;
    }

    Result<Node> parse_node(const std::string& page, std::uint64_t number, std::size_t index,
                            std::size_t upper, bool leaf) const {
        const std::size_t offset = load<std::uint16_t>(page.data() + kPageHead + 2 * index);
        if (offset < upper || offset + kNodeHead > page_bytes_)
            return damaged_page(number, "with an entry outside");
        const char* at = page.data() + offset;
        const std::uint64_t low = load<std::uint16_t>(at);
        const std::uint64_t high = load<std::uint16_t>(at + 2);
        Node node{
            .key = {}, .flags = load<std::uint16_t>(at + 4), .child = 0, .data_length = 0, .data = nullptr};
        const std::size_t key_bytes = load<std::uint16_t>(at + 6);
        std::size_t end = offset + kNodeHead + key_bytes;
        if (leaf) {
            node.data_length = low | high << 16;
            end += (node.flags & kBigData) != 0 ? sizeof(std::uint64_t) : node.data_length;
        } else {
            node.child = low | high << 16 | std::uint64_t{node.flags} << 32;
        }
        if (end > page_bytes_) return damaged_page(number, "with an entry that is too long");
        node.key = {at + kNodeHead, key_bytes};
        node.data = at + kNodeHead + key_bytes;
        return node;
    }

    Result<void> check_leaf_node(std::uint64_t number, const Node& node, Counts& counts) {
        if ((node.flags & kDupData) != 0 || node.flags > 7)
            return damaged_page(number, "with an entry of a bad type");
        if ((node.flags & kSubData) != 0) {
            if ((node.flags & kBigData) != 0 || node.data_length != sizeof(Tree)) {
                return damaged_page(number, "with a bad table");
            }
            named_.emplace_back(std::string(node.key), load<Tree>(node.data));
            return {};
        }
        if ((node.flags & kBigData) == 0) {
            if (in_free_tree_) return note_free(number, std::string_view(node.data, node.data_length));
            return {};
        }
        const auto first = load<std::uint64_t>(node.data);
        const std::uint64_t run = (kPageHead + node.data_length + page_bytes_ - 1) / page_bytes_;
        KEELSON_TRY_VOID(claim(first, run, Use::tree));
        if ((first + run) * page_bytes_ > file_bytes_)
            return damaged_page(first, "missing: the file was cut short");
        char head[kPageHead];
        KEELSON_TRY_VOID(base::read_at(descriptor_, head, sizeof head, first * page_bytes_, path_));
        if (load<std::uint64_t>(head) != first || load<std::uint16_t>(head + 10) != kOverflow ||
            load<std::uint32_t>(head + 12) != run) {
            return damaged_page(first, "is not the value that it should be");
        }
        counts.overflow += run;
        if (!in_free_tree_) return {};
        std::string data(node.data_length, '\0');
        KEELSON_TRY_VOID(
            base::read_at(descriptor_, data.data(), data.size(), first * page_bytes_ + kPageHead, path_));
        return note_free(first, data);
    }

    Result<void> note_free(std::uint64_t number, std::string_view list) {
        const std::uint64_t count = list.size() < 8 ? kNoPage : load<std::uint64_t>(list.data());
        if (count > list.size() / 8 - (list.size() < 8 ? 0 : 1))
            return damaged_page(number, "with a bad list of free pages");
        std::uint64_t last = kNoPage;
        for (std::uint64_t index = 1; index <= count; ++index) {
            const auto page = load<std::uint64_t>(list.data() + 8 * index);
            if (page >= last) return damaged_page(number, "with an unsorted list of free pages");
            last = page;
            free_.push_back(page);
        }
        return {};
    }

    Result<void> mark_free() {
        for (const std::uint64_t page : free_) KEELSON_TRY_VOID(claim(page, 1, Use::free));
        return {};
    }

    const std::string& path_;
    int descriptor_;
    std::uint64_t file_bytes_;
    std::uint64_t page_bytes_ = 0;
    bool integer_keys_ = false;
    bool in_free_tree_ = false;
    std::vector<Use> used_;
    std::vector<std::uint64_t> free_;
    std::vector<std::pair<std::string, Tree>> named_;
};

}  // namespace

Result<void> verify_lmdb_file(const std::string& path) {
    KEELSON_TRY(const base::FileDescriptor file, base::open_file(path, O_RDONLY));
    KEELSON_TRY(const std::uint64_t bytes, base::file_size(file.get(), path));
    return Verifier(path, file.get(), bytes).run();
}

}  // namespace keelson::store

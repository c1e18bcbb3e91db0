// Damaged files: torn and dropped writes, truncated and scribbled files. Errors must be clear, whatever is
// whole must be served, and nothing may crash.
#include <algorithm>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "kernel/base/files.h"
#include "kernel/base/log.h"
#include "tests/store/store_test_support.h"

namespace keelson::store {
namespace {

using Files = std::map<std::string, std::string>;  // content by name

Files read_files(const std::string& directory) {
    Files files;
    for (const char* name : {"data.mdb", "journal-0", "journal-1", "clean"}) {
        const std::string path = directory + "/" + name;
        if (base::exists(path)) files[name] = base::read_file(path).value();
    }
    return files;
}

void write_files(const std::string& directory, const Files& files) {
    std::filesystem::remove_all(directory);
    std::filesystem::create_directories(directory);
    for (const auto& [name, content] : files)
        std::ofstream(directory + "/" + name, std::ios::binary) << content;
}

class DamageTest : public testing::Test {
  protected:
    void SetUp() override { base::set_log_level(base::LogLevel::off); }
    void TearDown() override { base::set_log_level(base::LogLevel::info); }

    TemporaryDirectory directory;
    std::string data = directory / "data";
    std::string image = directory / "image";
    std::mt19937_64 random{77};

    std::size_t below(std::size_t bound) { return random() % bound; }

    // The synced content with a random part of what was written after it, in blocks of the given size.
    std::string tear(const std::string& synced, const std::string& written, std::size_t block,
                     std::size_t untouched) {
        std::string torn = synced;
        // The file may have been extended or not.
        torn.resize(std::max(synced.size(), below(2) == 0 ? written.size() : synced.size()), '\0');
        for (std::size_t at = untouched; at < written.size(); at += block) {
            if (at + block > torn.size()) break;
            if (below(2) == 0)
                std::copy_n(written.begin() + static_cast<std::ptrdiff_t>(at), block,
                            torn.begin() + static_cast<std::ptrdiff_t>(at));
        }
        return torn;
    }
};

// The machine stops while a group is on its way to the disk: any sectors of it may have arrived.
TEST_F(DamageTest, ATornGroupIsDroppedWhole) {
    struct Crash {
        Files synced;
        Files written;
        std::map<std::string, Revision> acknowledged;
    };
    std::mutex mutex;
    std::map<std::string, Revision> acknowledged;
    std::vector<Crash> crashes;
    Files last;
    int group = 0;
    LmdbOptions options = small_options();
    options.journal_bytes = 4u << 20;  // no turn, so that the data file stands still
    options.faults.before_journal_sync = [&] {
        Files now = read_files(data);
        std::lock_guard lock(mutex);
        // What the group before wrote has been synced meanwhile.
        if (++group % 5 == 0) crashes.push_back({last, now, acknowledged});
        last = std::move(now);
    };
    {
        auto store = must_open(data, options);
        last = read_files(data);
        std::vector<std::thread> writers;
        for (int writer = 0; writer < 4; ++writer) {
            writers.emplace_back([&, writer] {
                for (int index = 0; index < 40; ++index) {
                    const std::string key = "k/" + std::to_string(writer) + "/" + std::to_string(index);
                    const auto done = commit(*store, {put_operation(key, std::string(1500, 'v')),
                                                      put_operation("twin/" + key, "t")});
                    std::lock_guard lock(mutex);
                    acknowledged[key] = done->revision;
                }
            });
        }
        for (auto& writer : writers) writer.join();
    }
    ASSERT_GE(crashes.size(), 8u);
    options.faults = {};
    for (const Crash& crash : crashes) {
        for (int variant = 0; variant < 3; ++variant) {
            Files torn = crash.written;
            torn.erase("clean");
            for (const char* name : {"journal-0", "journal-1"})
                torn[name] = tear(crash.synced.at(name), crash.written.at(name), 512, 0);
            write_files(image, torn);
            auto store = must_open(image, options);
            ASSERT_NE(store, nullptr);
            for (const auto& [key, revision] : crash.acknowledged) {
                const auto record = store->get(key);
                ASSERT_TRUE(record && *record) << key;
                ASSERT_EQ((*record)->modified, revision);
                ASSERT_GE(store->current(), revision);
            }
            EXPECT_EQ(store->count("k/").value(), store->count("twin/").value());
            EXPECT_EQ(store->statistics().keys, store->count("").value());
            auto watch = std::move(*store->watch("", 1));
            EXPECT_EQ(drain(*watch).size(), store->count("").value());
        }
    }
}

// The machine stops while the data file is written: any of its pages may have arrived, but not the meta page,
// which LMDB writes after it has synced the others.
TEST_F(DamageTest, ATornFlushIsDoneAgain) {
    auto store = must_open(data);
    auto fill = [&](int from, int to, char letter) {
        for (int index = from; index < to; ++index) {
            put(*store, "k/" + std::to_string(index * 7919 % 400), std::string(100 + below(5000), letter));
        }
    };
    fill(0, 200, 'a');
    ASSERT_TRUE(wait(store->flush()));
    for (int round = 0; round < 12; ++round) {
        fill(round * 30, round * 30 + 60, static_cast<char>('b' + round));
        if (round % 3 == 2) remove(*store, "k/" + std::to_string(round * 7919 % 400));
        const auto expected = list(*store, "");
        const Revision current = store->current();
        const Files before = read_files(data);
        ASSERT_TRUE(wait(store->flush()));
        const Files after = read_files(data);
        for (int variant = 0; variant < 3; ++variant) {
            Files torn = before;
            torn["data.mdb"] = tear(before.at("data.mdb"), after.at("data.mdb"), 4096, 2 * 4096);
            write_files(image, torn);
            auto recovered = must_open(image);
            ASSERT_NE(recovered, nullptr);
            EXPECT_EQ(list(*recovered, ""), expected);
            EXPECT_GE(recovered->current(), current);
        }
    }
}

// Sixty damages of a store of many values, at rest and after a crash.
TEST_F(DamageTest, DamageIsNamedAndTheRestIsServed) {
    std::map<std::string, std::string> expected;
    Files clean;
    Files crashed;
    {
        auto store = must_open(data);
        for (int index = 0; index < 300; ++index) {
            const std::string key = "core/pods/n" + std::to_string(index % 3) + "/" + std::to_string(index);
            const std::string bytes =
                std::to_string(index) + std::string(index % 20 == 0 ? 9000 : 300 + index, 'd');
            put(*store, key, "old");
            put(*store, key, bytes);
            expected[key] = bytes;
        }
        ASSERT_TRUE(wait(store->flush()));
        for (int index = 0; index < 100; ++index) {
            const std::string key = "core/nodes/" + std::to_string(index);
            put(*store, key, std::string(500, 'n'));
            expected[key] = std::string(500, 'n');
        }
        crashed = read_files(data);
        store->close();
        clean = read_files(data);
    }
    int refused = 0;
    int served_partly = 0;
    int served_whole = 0;
    for (int damage = 0; damage < 60; ++damage) {
        SCOPED_TRACE("damage " + std::to_string(damage));
        Files files = damage % 2 == 0 ? clean : crashed;
        std::string name = "data.mdb";
        if (damage % 2 == 1 && damage % 3 == 0) name = damage % 4 == 1 ? "journal-0" : "journal-1";
        std::string& content = files[name];
        const int kind = damage / 2 % 6;
        // The journal is empty for the most part; damage what is written.
        const std::size_t written = name == "data.mdb" ? content.size() : 60'000;
        const std::size_t at = below(written - 5000);
        bool journal_tail = false;
        if (kind == 0) {
            content.resize(at);
            journal_tail = name != "data.mdb";
        } else if (kind == 1) {
            content[at] = static_cast<char>(content[at] ^ (1 << below(8)));
        } else if (kind == 2) {
            for (std::size_t index = at; index < at + 64; ++index)
                content[index] = static_cast<char>(random());
        } else if (kind == 3) {
            std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(at / 4096 * 4096), 4096, '\0');
        } else if (kind == 4) {
            for (std::size_t index = at / 4096 * 4096; index < at / 4096 * 4096 + 4096; ++index)
                content[index] = static_cast<char>(random());
        } else {
            std::copy_n(content.begin() + static_cast<std::ptrdiff_t>(below(written / 4096) * 4096), 4096,
                        content.begin() + static_cast<std::ptrdiff_t>(at / 4096 * 4096));
        }
        write_files(image, files);
        auto opened = open_lmdb_store(image, small_options());
        if (!opened) {
            ++refused;
            EXPECT_NE(opened.error().message().find(image), std::string::npos) << opened.error().message();
            EXPECT_NE(opened.error().message().find("restore a snapshot"), std::string::npos)
                << opened.error().message();
            continue;
        }
        ASSERT_FALSE(journal_tail) << "a journal that was cut must not go unnoticed";
        Store& store = **opened;
        int damaged = 0;
        for (const auto& [key, bytes] : expected) {
            const auto record = store.get(key);
            if (!record) {
                ++damaged;
                EXPECT_EQ(record.error().reason(), base::Reason::store_read_error);
                EXPECT_NE(record.error().message().find(key), std::string::npos) << record.error().message();
                // It can be replaced.
                EXPECT_GT(put(store, key, "mended"), 0u);
                EXPECT_EQ(read(store, key), "mended");
                continue;
            }
            ASSERT_TRUE(record->has_value())
                << key << " is gone without a word, damage of " << name << " kind " << kind << " at " << at;
            ASSERT_EQ((*record)->bytes, bytes) << key;
        }
        EXPECT_LT(damaged, 100);
        (damaged > 0 ? served_partly : served_whole)++;
        EXPECT_EQ(store.count("").value(), expected.size());
        EXPECT_GT(put(store, "new", "x"), 0u);
        EXPECT_TRUE(wait(store.compact(store.current())));
    }
    std::printf("refused %d, served but for the damaged %d, harmless %d\n", refused, served_partly,
                served_whole);
    EXPECT_GT(refused, 0);
    EXPECT_GT(served_partly, 0);
}

}  // namespace
}  // namespace keelson::store

// Kills a process that writes, at random points, again and again: what was acknowledged must be there.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>
#include <set>
#include <sstream>

#include "kernel/base/log.h"
#include "tests/store/store_test_support.h"

namespace keelson::store {
namespace {

constexpr int kRounds = 210;

struct Acknowledged {
    bool deferred = false;
    std::string key;
    std::uint64_t counter = 0;
    Revision revision = 0;
    bool removed = false;
};

class CrashTest : public testing::Test {
  protected:
    TemporaryDirectory directory;
    std::string data = directory / "data";
    std::mt19937_64 random{20'240'601};
    std::uint64_t next_counter = 1;
    std::map<std::string, Acknowledged> latest;  // durable ones, by key
    std::set<Revision> revisions;                // of all acknowledged writes
    std::map<std::string, std::string> replica;  // what a watcher made of the events so far
    Revision replica_revision = 0;
    std::uint64_t durable_acknowledged = 0;

    // One life of the writer: starts it, reads a random number of acknowledgements, kills it, reads the rest.
    void run_and_kill(int round) {
        int pipes[2];
        ASSERT_EQ(::pipe(pipes), 0);
        const std::string seed = std::to_string(round);
        const std::string counter = std::to_string(next_counter);
        const pid_t child = ::fork();
        if (child == 0) {
            ::dup2(pipes[1], STDOUT_FILENO);
            ::close(pipes[0]);
            ::close(pipes[1]);
            ::execl(KEELSON_CRASH_WRITER, "store_crash_writer", data.c_str(), seed.c_str(), counter.c_str(),
                    nullptr);
            ::_exit(127);
        }
        ::close(pipes[1]);
        // From "while it still recovers" to "after several turns of the journal".
        const std::uint64_t wanted = random() % 8 == 0 ? 0 : random() % (random() % 4 == 0 ? 1500 : 200);
        std::string text;
        std::uint64_t lines = 0;
        bool killed = false;
        char buffer[4096];
        while (true) {
            if (!killed && lines >= wanted) {
                if (wanted == 0) spin(random() % 4000);
                ::kill(child, SIGKILL);
                killed = true;
            }
            const ssize_t count = ::read(pipes[0], buffer, sizeof buffer);
            if (count <= 0) break;
            text.append(buffer, static_cast<std::size_t>(count));
            lines += static_cast<std::uint64_t>(std::count(buffer, buffer + count, '\n'));
        }
        ::close(pipes[0]);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the writer failed by itself: exit code " << WEXITSTATUS(status);
        take_in(text);
    }

    // Lets the child get somewhat further; not a wait for anything.
    static void spin(std::uint64_t microseconds) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
        while (std::chrono::steady_clock::now() < end) {
        }
    }

    void take_in(const std::string& text) {
        std::istringstream lines(text.substr(0, text.rfind('\n') + 1));
        char type = 0;
        Acknowledged one;
        int removed = 0;
        while (lines >> type >> one.key >> one.counter >> one.revision >> removed) {
            one.deferred = type == 'e';
            one.removed = removed != 0;
            next_counter = std::max(next_counter, one.counter + 1000);
            // A removal of what is not there changes nothing and has no revision of its own; with its twin it
            // has.
            if (!one.deferred || !one.removed) {
                ASSERT_TRUE(revisions.insert(one.revision).second)
                    << "revision " << one.revision << " was issued twice";
            }
            if (one.deferred) continue;
            ++durable_acknowledged;
            Acknowledged& known = latest[one.key];
            if (known.revision < one.revision) known = one;
        }
    }

    static std::uint64_t counter_of(const std::string& bytes) {
        return std::strtoull(bytes.c_str(), nullptr, 10);
    }

    void verify() {
        auto opened = open_lmdb_store(data, small_options());
        ASSERT_TRUE(opened) << opened.error().message();
        Store& store = **opened;
        ASSERT_TRUE(revisions.empty() || store.current() >= *revisions.rbegin());
        for (const auto& [key, acknowledged] : latest) {
            const auto record = store.get(key);
            ASSERT_TRUE(record) << record.error().message();
            const auto twin = store.get("twin/" + key);
            ASSERT_TRUE(twin && *twin);
            // Newer ones that were not acknowledged any more may be there.
            ASSERT_GE((*twin)->modified, acknowledged.revision) << key;
            if ((*twin)->modified == acknowledged.revision) {
                ASSERT_EQ(record->has_value(), !acknowledged.removed) << key;
                ASSERT_TRUE(acknowledged.removed || counter_of((*record)->bytes) == acknowledged.counter);
            }
            if (record->has_value()) {
                ASSERT_EQ((*record)->modified, (*twin)->modified) << "a transaction was torn";
                ASSERT_EQ((*record)->bytes, (*twin)->bytes) << "a transaction was torn";
            } else {
                ASSERT_EQ((*twin)->bytes, "removed");
            }
        }
        follow(store);
        Operation probe = put_operation("probe", "x");
        const auto result = commit(store, {probe});
        ASSERT_TRUE(result);
        ASSERT_TRUE(revisions.insert(result->revision).second);
    }

    // Brings the replica up to date through a watch, as a client would, and compares it to a list.
    void follow(Store& store) {
        const std::string prefix = "core/pods/";
        auto watch = store.watch(prefix, replica_revision);
        if (!watch) {
            ASSERT_EQ(watch.error().reason(), base::Reason::expired);
            replica.clear();
        } else {
            Revision last = replica_revision;
            while (true) {
                const auto count = (*watch)->poll(50, [&](const Event& event) {
                    EXPECT_GT(event.revision, last);
                    last = event.revision;
                    const std::string key(event.record.key);
                    EXPECT_EQ(event.kind != Event::Kind::created, replica.contains(key))
                        << describe(event).substr(0, 60);
                    EXPECT_EQ(event.previous.bytes, replica.contains(key) ? replica[key] : "");
                    replica[key] = event.record.bytes;
                    if (event.kind == Event::Kind::removed) replica.erase(key);
                });
                ASSERT_TRUE(count) << count.error().message();
                if (*count == 0) break;
            }
        }
        std::map<std::string, std::string> listed;
        ScanRequest request{.prefix = prefix, .start = {}};
        while (true) {
            const auto page = store.scan(request, [&](const Record& record) {
                listed.emplace(record.key, record.bytes);
                return true;
            });
            ASSERT_TRUE(page) << page.error().message();
            replica_revision = page->revision;
            if (!page->more) break;
            request.start = page->next_key;
            request.revision = page->revision;
        }
        if (!watch) replica = listed;
        ASSERT_EQ(replica, listed);
    }
};

TEST_F(CrashTest, NothingAcknowledgedIsLostWhenTheWriterIsKilled) {
    base::set_log_level(base::LogLevel::error);
    for (int round = 0; round < kRounds; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        run_and_kill(round);
        if (HasFatalFailure()) return;
        // Sometimes the next writer recovers, and is perhaps killed at it.
        if (random() % 2 == 0) continue;
        verify();
        if (HasFailure()) return;
    }
    verify();
    EXPECT_GT(durable_acknowledged, 5000u) << "the test has to put some load on the store";
    std::printf("%llu durable writes acknowledged in %d lives\n",
                static_cast<unsigned long long>(durable_acknowledged), kRounds);
}

}  // namespace
}  // namespace keelson::store

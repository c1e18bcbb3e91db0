// The Store interface over LmdbCore.
#include "kernel/store/lmdb.h"
#include "kernel/store/lmdb_core.h"
#include "kernel/store/rollback.h"

namespace keelson::store {
namespace {

using base::Result;
using base::Task;

class LmdbStore final : public Store {
  public:
    explicit LmdbStore(std::shared_ptr<LmdbCore> core) : core_(std::move(core)) {}
    ~LmdbStore() override { core_->close(); }

    [[nodiscard]] Revision current() const override { return core_->current(); }
    [[nodiscard]] Revision compacted() const override { return core_->compacted(); }
    [[nodiscard]] Result<std::optional<OwnedRecord>> get(std::string_view key, Revision at) const override {
        return core_->get(key, at);
    }
    [[nodiscard]] Result<ScanResult> scan(const ScanRequest& request,
                                          const std::function<bool(const Record&)>& visit) const override {
        return core_->scan(request, visit);
    }
    [[nodiscard]] Result<std::uint64_t> count(std::string_view prefix, std::string_view start,
                                              Revision at) const override {
        return core_->count(prefix, start, at);
    }
    [[nodiscard]] Task<Result<CommitResult>> commit(Transaction transaction) override {
        co_return co_await core_->submit(std::move(transaction));
    }
    [[nodiscard]] Result<std::unique_ptr<Watch>> watch(std::string prefix, Revision after) override {
        KEELSON_TRY_VOID(core_->check_watch(prefix, after));
        return WatchHub::make_watch(core_->hub(), core_, std::move(prefix), after);
    }
    [[nodiscard]] Task<Result<void>> read_barrier() override { co_return base::ok(); }
    [[nodiscard]] Task<Result<void>> compact(Revision revision) override {
        co_return co_await core_->request_compact(revision);
    }
    void hold(Revision revision, base::Duration duration) override { core_->hold(revision, duration); }
    [[nodiscard]] Task<Result<void>> flush() override { co_return co_await core_->request_flush(); }
    [[nodiscard]] Task<Result<Revision>> snapshot(std::string path) override {
        KEELSON_CO_TRY_VOID(co_await core_->request_flush());
        // Not inside the co_await: g++ 12 destroys the captures of such a temporary twice.
        auto copy = [core = core_, path = std::move(path)] { return core->copy_to(path); };
        auto copying = base::blocking(std::move(copy));
        co_return co_await std::move(copying);
    }
    [[nodiscard]] Task<Result<Revision>> rollback(std::string prefix, Revision revision) override {
        return rollback_by_writes(*this, std::move(prefix), revision);
    }
    [[nodiscard]] Statistics statistics() const override { return core_->statistics(); }
    void close() override { core_->close(); }

  private:
    std::shared_ptr<LmdbCore> core_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_lmdb_store(const std::string& directory, LmdbOptions options) {
    KEELSON_TRY(auto core, LmdbCore::open(directory, std::move(options)));
    return std::unique_ptr<Store>(std::make_unique<LmdbStore>(std::move(core)));
}

}  // namespace keelson::store

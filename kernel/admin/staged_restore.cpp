#include "kernel/admin/staged_restore.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "kernel/base/files.h"
#include "kernel/store/lmdb.h"

namespace keelson::admin {
namespace {

using base::Result;

// The sum is part of the name: one rename stages both.
constexpr std::string_view kPrefix = "restore-staged-";

std::string staged_path(const std::string& work_directory) {
    std::error_code code;
    for (const auto& entry : std::filesystem::directory_iterator(work_directory, code))
        if (entry.path().filename().string().starts_with(kPrefix)) return entry.path().string();
    return {};
}

}  // namespace

Result<store::Revision> check_snapshot(const std::string& path, const std::string& scratch_directory) {
    std::error_code code;
    std::filesystem::remove_all(scratch_directory, code);
    auto revision = store::restore_snapshot(path, scratch_directory);
    std::filesystem::remove_all(scratch_directory, code);
    return revision;
}

Result<void> stage_restore(const std::string& path, const std::string& work_directory,
                           const std::string& sha256) {
    KEELSON_TRY(const bool was_there, forget_staged_restore(work_directory));
    (void)was_there;
    const std::string target = work_directory + "/" + std::string(kPrefix) + sha256;
    if (std::rename(path.c_str(), target.c_str()) != 0) return base::system_error("staging " + target, errno);
    return base::sync_directory(work_directory);
}

std::optional<StagedRestore> staged_restore(const std::string& work_directory) {
    const std::string path = staged_path(work_directory);
    if (path.empty()) return std::nullopt;
    std::error_code code;
    StagedRestore staged;
    staged.sha256 = path.substr(work_directory.size() + 1 + kPrefix.size());
    staged.bytes = std::filesystem::file_size(path, code);
    if (code) return std::nullopt;
    return staged;
}

Result<bool> forget_staged_restore(const std::string& work_directory) {
    const std::string path = staged_path(work_directory);
    if (path.empty()) return false;
    KEELSON_TRY_VOID(base::remove_file(path));
    KEELSON_TRY_VOID(base::sync_directory(work_directory));
    return true;
}

Result<std::optional<store::Revision>> take_staged_restore(const std::string& data_directory,
                                                           const std::string& store_directory) {
    const std::string work_directory = data_directory + "/admin";
    const std::string path = staged_path(work_directory);
    if (path.empty()) return std::optional<store::Revision>();
    auto revision = store::restore_snapshot(path, store_directory);
    if (!revision)
        return std::move(revision).error().with_context("restoring the staged snapshot (remove " + path +
                                                        " to start with the old store): ");
    KEELSON_TRY_VOID(base::remove_file(path));
    KEELSON_TRY_VOID(base::sync_directory(work_directory));
    return std::optional<store::Revision>(*revision);
}

}  // namespace keelson::admin

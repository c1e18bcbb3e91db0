// What the API tells about plugins and the store, as JSON texts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernel/admin/exchange.h"
#include "kernel/admin/rollback_preview.h"
#include "kernel/admin/staged_restore.h"
#include "kernel/plugin/plugin.h"
#include "kernel/store/store.h"

namespace keelson::admin {

[[nodiscard]] std::string plugin_document(const plugin::Info& info);
[[nodiscard]] std::string plugins_document(const std::vector<plugin::Info>& infos);
[[nodiscard]] std::string store_document(const store::Statistics& statistics,
                                         const std::optional<StagedRestore>& staged);
[[nodiscard]] std::string preview_document(const RollbackPreview& preview, store::Revision revision);

// A JSON string.
[[nodiscard]] std::string quoted(std::string_view text);
// {"name": text}
[[nodiscard]] std::string text_document(std::string_view name, std::string_view text);
[[nodiscard]] Answer answer_with(std::string document, int status = 200);

}  // namespace keelson::admin

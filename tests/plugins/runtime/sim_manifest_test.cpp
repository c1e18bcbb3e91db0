// What the kernel makes of the manifest of the simulated runtime.
#include <fstream>
#include <sstream>

#include "kernel/plugin/manifest.h"
#include "kernel/plugin/schema_check.h"
#include "tests/plugins/runtime/sim_fixture.h"

namespace keelson::testing {
namespace {

plugin::Manifest manifest() {
    std::stringstream text;
    text << std::ifstream(KEELSON_TEST_PLUGINS "/sim.yaml").rdbuf();
    auto parsed = plugin::parse_manifest(text.str());
    if (!parsed) throw std::runtime_error(parsed.error().message());
    return *parsed;
}

TEST(SimManifestTest, NamesWhatThePluginHas) {
    EXPECT_EQ(manifest().id, "dev.keelson.sim");
    EXPECT_THAT(
        manifest().capabilities,
        ::testing::ElementsAre("keelson.runtime/0", "keelson.runtime.images/0", "keelson.handover/0"));
}

// The schema and the plugin agree on what is a configuration.
TEST(SimManifestTest, SchemaAndPluginAgree) {
    const std::string schema = manifest().config_schema;
    const Json good = {{"seed", 7},
                       {"timer", true},
                       {"logs", false},
                       {"callMilliseconds", 5},
                       {"jitterMilliseconds", 5},
                       {"failureProbability", 0.5},
                       {"imageBytes", 1},
                       {"defaults",
                        {{"start-milliseconds", "1"},
                         {"run-milliseconds", "1"},
                         {"exit-code", "1"},
                         {"exit-reason", "a"},
                         {"exit-message", "a"},
                         {"stop-milliseconds", "1"},
                         {"stop-exit-code", "1"},
                         {"exec-exit-code", "1"},
                         {"cpu-millis", "1"},
                         {"memory-bytes", "1"},
                         {"fail-every", "1"},
                         {"fail-sandbox", "a"},
                         {"fail-create", "a"},
                         {"fail-start", "a"},
                         {"log", "a"}}}};
    for (const Json& config : {Json::object(), good}) {
        const auto checked = plugin::check_against_schema(schema, config.dump());
        EXPECT_TRUE(checked) << checked.error().message();
        const Sim sim(config);
        EXPECT_TRUE(sim.started.ok()) << sim.started.message();
    }
    for (const Json& config :
         {Json{{"seed", -1}}, Json{{"jitterMilliseconds", 86'400'001}}, Json{{"failureProbability", 1.5}},
          Json{{"imageBytes", -1}}, Json{{"defaults", {{"unknown", "1"}}}},
          Json{{"defaults", {{"exit-code", "-1"}}}}, Json{{"defaults", {{"exit-code", 1}}}}}) {
        EXPECT_FALSE(plugin::check_against_schema(schema, config.dump())) << config;
        EXPECT_EQ(Sim(config).started.status, KEELSON_INVALID) << config;
    }
}

}  // namespace
}  // namespace keelson::testing

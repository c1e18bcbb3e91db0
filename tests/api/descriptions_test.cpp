#include "kernel/api/descriptions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/object/schema.h"

namespace keelson::api {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(DescriptionsTest, SayWhatTypesAndFieldsAreFor) {
    EXPECT_THAT(description_of("core/v1.Pod"), HasSubstr("one node"));
    EXPECT_THAT(description_of("core/v1.Container", "imagePullPolicy"), HasSubstr("IfNotPresent"));
    EXPECT_THAT(description_of("core/v1.Pod", "apiVersion"), HasSubstr("apps/v1"));
}

TEST(DescriptionsTest, FieldsOfEmbeddedStructuresAreThoseOfWhatHasThem) {
    EXPECT_EQ(description_of("core/v1.Volume", "emptyDir"),
              description_of("core/v1.VolumeSource", "emptyDir"));
}

TEST(DescriptionsTest, AreEmptyOfWhatIsNotThere) {
    EXPECT_THAT(description_of("core/v1.Pod", "nope"), IsEmpty());
    EXPECT_THAT(description_of("nope/v1.Nope"), IsEmpty());
    EXPECT_THAT(description_of("", ""), IsEmpty());
    EXPECT_THAT(description_of("~", "~"), IsEmpty());
}

TEST(DescriptionsTest, EverythingThatOpenApiShowsHasOne) {
    std::vector<std::string> lacking;
    for (const object::Type* type : object::builtin_types()) {
        if (type->shape != object::Shape::structure || type->open_api.empty()) continue;
        if (description_of(type->id).empty()) lacking.emplace_back(type->id);
        for (const object::Field& field : type->fields)
            if (description_of(type->id, field.name).empty())
                lacking.push_back(std::string(type->id) + " " + std::string(field.name));
    }
    EXPECT_THAT(lacking, IsEmpty());
}

}  // namespace
}  // namespace keelson::api

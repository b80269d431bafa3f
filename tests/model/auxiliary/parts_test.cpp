// Parts add parameters behind those of the network, and change no initial weight of what is there.
#include "model/parts.h"

#include <gtest/gtest.h>

#include "core/reference/reference_backend.h"
#include "model/parameters.h"

namespace edt {
namespace {

std::vector<float> weights(const ParameterList& list, std::size_t index) {
  std::vector<float> values(static_cast<std::size_t>(list.shards()[index].logical.elements()));
  list.initialize(index, 7, values);
  return values;
}

void add_network(ParameterList& list) {
  list.add("blocks.0.weight", {4, 8}, Init::kXavierUniform);
  list.add("blocks.1.weight", {4, 8}, Init::kXavierUniform);
}

void add_part(ParameterList& list, const char* name, int tensors) {
  const ParameterList::Part part(list, name);
  for (int i = 0; i < tensors; ++i) {
    list.add(std::string(name) + "." + std::to_string(i), {4, 8}, Init::kXavierUniform);
  }
}

TEST(Parts, ChangeNoInitialWeightOfTheNetwork) {
  ParameterList alone, with;
  add_network(alone);
  add_network(with);
  add_part(with, "align.latent", 2);
  ASSERT_EQ(with.all().size(), 4u);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(weights(with, i), weights(alone, i));
  EXPECT_NE(weights(with, 0), weights(with, 1));
  EXPECT_NE(weights(with, 2), weights(with, 3));
  // Not those of the tensor at the same place of the network.
  EXPECT_NE(weights(with, 2), weights(with, 0));
}

TEST(Parts, DoNotDependOnEachOther) {
  ParameterList one, both;
  add_network(one);
  add_part(one, "align.features", 2);
  add_network(both);
  add_part(both, "align.latent", 3);
  add_part(both, "align.features", 2);
  EXPECT_EQ(weights(both, 5), weights(one, 2));
  EXPECT_EQ(weights(both, 6), weights(one, 3));
}

// Stored weights of a run that begins anew must not become others: the list is append-only.
TEST(Parts, KeepTheirPlacesInTheList) {
  const char* names[] = {
      "",        "align.latent", "align.features",  "align.teacher", "self-distillation",
      "distill", "ternary",      "modulation-norm", "text",          "spatial-layer"};
  for (std::size_t i = 0; i < std::size(names); ++i) EXPECT_EQ(part_index(names[i]), i) << names[i];
  ParameterList list;
  add_network(list);
  add_part(list, "align.latent", 1);
  // The first of part 1: sample 1 << 20 of the stream of initial weights.
  std::vector<float> expected(32);
  random::fill_uniform({.seed = 7, .purpose = random::Purpose::kInit, .sample = 1u << 20},
                       expected);
  const auto bound = static_cast<float>(std::sqrt(6.0 / (4 + 8)));
  for (float& v : expected) v = bound * (2 * v - 1);
  EXPECT_EQ(weights(list, 2), expected);
}

TEST(Parts, AreCountedApart) {
  ParameterList list;
  add_network(list);
  add_part(list, "align.latent", 3);
  EXPECT_EQ(list.elements(), 5 * 32);
  EXPECT_EQ(list.elements_of(""), 2 * 32);
  EXPECT_EQ(list.elements_of("align.latent"), 3 * 32);
  EXPECT_EQ(list.elements_of("distill"), 0);
  EXPECT_EQ(list.part(1).use, PartUse::kAlways);
  EXPECT_EQ(list.part(2).name, "align.latent");
  EXPECT_EQ(list.part(2).use, PartUse::kTraining);
}

}  // namespace
}  // namespace edt

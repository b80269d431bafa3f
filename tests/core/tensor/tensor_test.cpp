#include "core/tensor/tensor.h"

#include <gtest/gtest.h>

#include <vector>

namespace edt {
namespace {

TEST(Shape, RowsColumnsAndElements) {
  const Shape shape{2, 256, 312};
  EXPECT_EQ(shape.rank(), 3);
  EXPECT_EQ(shape.elements(), 2 * 256 * 312);
  EXPECT_EQ(shape.rows(), 512);
  EXPECT_EQ(shape.columns(), 312);
  EXPECT_EQ(shape[-1], 312);
  EXPECT_EQ(shape[-3], 2);
  EXPECT_EQ(to_string(shape), "[2, 256, 312]");
}

TEST(Shape, ScalarAndEmpty) {
  EXPECT_EQ(Shape{}.elements(), 1);
  EXPECT_EQ(Shape{}.rows(), 1);
  EXPECT_EQ(Shape{}.columns(), 1);
  EXPECT_EQ(to_string(Shape{}), "[]");
  EXPECT_EQ((Shape{3, 0}).elements(), 0);
  EXPECT_EQ((Shape{3, 0}).rows(), 0);
}

TEST(Shape, EqualityNeedsEqualRank) {
  EXPECT_TRUE((Shape{2, 3}) == (Shape{2, 3}));
  EXPECT_FALSE((Shape{2, 3}) == (Shape{3, 2}));
  EXPECT_FALSE((Shape{2, 3}) == (Shape{2, 3, 1}));
}

TEST(Shape, MisuseIsCaught) {
  const Shape shape{2, 3};
  EXPECT_ANY_THROW(shape[2]);
  EXPECT_ANY_THROW(shape[-3]);
  Shape full{1, 2, 3, 4, 5, 6};
  EXPECT_ANY_THROW(full.append(7));
}

TEST(Tensor, SliceIsAView) {
  std::vector<float> memory(24);
  const Tensor tensor = view_of(std::span(memory), {4, 3, 2});
  const Tensor part = tensor.slice(1, 3);
  EXPECT_TRUE(part.shape == (Shape{2, 3, 2}));
  EXPECT_EQ(part.as<float>(), memory.data() + 6);
  EXPECT_EQ(part.bytes(), 48u);
  EXPECT_EQ(tensor.slice(4, 4).elements(), 0);
  EXPECT_ANY_THROW(tensor.slice(3, 5));
}

TEST(Tensor, WrongTypeOrSizeIsCaught) {
  std::vector<float> memory(6);
  const Tensor tensor = view_of(std::span(memory), {2, 3});
  EXPECT_ANY_THROW(tensor.as<double>());
  EXPECT_ANY_THROW(tensor.reshaped({2, 4}));
  EXPECT_TRUE(tensor.reshaped({3, 2}).data == memory.data());
  EXPECT_ANY_THROW(view_of(std::span(memory), {7}));
  EXPECT_FALSE(Tensor{}.defined());
}

}  // namespace
}  // namespace edt

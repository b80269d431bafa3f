#include "core/ops/cases/op_case.h"
#include "core/ops/patches_beside.h"

namespace edt {
namespace {

OpCase patch_embedding_case(const Shape& image, std::int64_t patch, std::int64_t width) {
  const std::int64_t tokens = image[2] / patch * (image[3] / patch);
  return {"patch_embedding", fmt::format("{}, patch {} -> {}", to_string(image), patch, width),
          [=](Tape& tape, CaseInputs& in) {
            return patch_embedding(tape, in.tensor("image", image, in.accurate_dtype()),
                                   in.parameter("weight", {width, image[1], patch, patch}, 0.3),
                                   in.parameter("bias", {width}, 1.0),
                                   in.tensor("positions", {tokens, width}, in.dtype()));
          }};
}

OpCase patches_beside_case(const Shape& image, std::int64_t patch, std::int64_t beside,
                           std::int64_t width, bool positions = true) {
  const std::int64_t tokens = image[2] / patch * (image[3] / patch);
  const std::int64_t columns = image[1] * patch * patch + beside;
  return {
      "patch_embedding",
      fmt::format("{} beside {}{}, patch {} -> {}", to_string(image), beside,
                  positions ? "" : " without positions", patch, width),
      [=](Tape& tape, CaseInputs& in) {
        return patch_embedding(
            tape,
            PatchesBeside{in.tensor("image", image, in.accurate_dtype()),
                          in.tensor("beside", {image[0], tokens, beside}, DType::kFloat32), patch},
            in.parameter("weight", {width, columns}, 0.3), in.parameter("bias", {width}, 1.0),
            positions ? in.tensor("positions", {tokens, width}, in.dtype()) : Tensor{});
      }};
}

OpCase unpatchify_case(const Shape& image, std::int64_t patch) {
  const Shape tokens{image[0], image[2] / patch * (image[3] / patch), patch * patch * image[1]};
  return {"unpatchify", fmt::format("{}, patch {}", to_string(image), patch),
          [=](Tape& tape, CaseInputs& in) {
            Var out = tape.make(image, in.accurate_dtype());
            in.backend().unpatchify(in.constant(tape, "tokens", tokens).tensor(), patch,
                                    out.tensor());
            return out;
          }};
}

OpCase mask_tokens_case(const Shape& x) {
  return {"mask_tokens", to_string(x), [=](Tape& tape, CaseInputs& in) {
            const Tensor mask =
                in.tensor("mask", {x[0], x[1]}, DType::kFloat32, [](std::int64_t count) {
                  std::vector<double> values = draw("token mask", count);
                  for (double& value : values) value = value < 0.5 ? 1 : 0;
                  return values;
                });
            return mask_tokens(tape, in.leaf(tape, "x", x), mask,
                               in.tensor("positions", {x[1], x[2]}, in.dtype()));
          }};
}

OpCase join_columns_case(const Shape& x) {
  return {"join_columns", to_string(x),
          [=](Tape& tape, CaseInputs& in) { return join_columns(tape, in.leaf(tape, "x", x)); }};
}

OpCase repeat_columns_case(const Shape& x, std::int64_t times) {
  return {"repeat_columns", fmt::format("{} x {}", to_string(x), times),
          [=](Tape& tape, CaseInputs& in) {
            return repeat_columns(tape, in.leaf(tape, "x", x), times);
          }};
}

}  // namespace

OpCase pixel_shuffle_case(const Shape& x, const TokenGrid& grid) {
  const bool square = grid.rows == 0;
  return {"pixel_shuffle", to_string(x) + (square ? "" : " on " + to_string(grid)),
          [=](Tape& tape, CaseInputs& in) {
            return pixel_shuffle(tape, in.leaf(tape, "x", x), square ? covering_grid(x[1]) : grid);
          }};
}

void add_layout_cases(OpCases& cases) {
  cases.push_back(patch_embedding_case({1, 1, 2, 2}, 2, 4));
  cases.push_back(patch_embedding_case({3, 4, 8, 8}, 2, 52));
  cases.push_back(patch_embedding_case({1, 3, 16, 16}, 4, 13));
  cases.push_back(patch_embedding_case({2, 32, 3, 5}, 1, 8));
  cases.push_back(patch_embedding_case({2, 3, 4, 10}, 2, 12));
  cases.push_back(patches_beside_case({1, 1, 1, 1}, 1, 1, 4));
  cases.push_back(patches_beside_case({3, 6, 1, 20}, 1, 5, 32, false));
  cases.push_back(patches_beside_case({2, 3, 4, 10}, 2, 7, 12));
  cases.push_back(unpatchify_case({1, 1, 2, 2}, 2));
  cases.push_back(unpatchify_case({2, 32, 3, 5}, 1));
  cases.push_back(unpatchify_case({2, 6, 10, 4}, 2));
  cases.push_back(unpatchify_case({3, 8, 8, 8}, 2));
  cases.push_back(unpatchify_case({1, 3, 16, 16}, 4));
  cases.push_back(pixel_shuffle_case({1, 1, 4}));
  cases.push_back(pixel_shuffle_case({3, 16, 208}));
  cases.push_back(pixel_shuffle_case({1, 4, 52}));
  cases.push_back(pixel_shuffle_case({2, 15, 52}, {3, 5}));
  cases.push_back(pixel_shuffle_case({3, 8, 20}, {8, 1}));
  cases.push_back(join_columns_case({1, 1, 1}));
  cases.push_back(join_columns_case({2, 3, 13}));
  cases.push_back(join_columns_case({3, 4, 104}));
  cases.push_back(repeat_columns_case({1, 1}, 1));
  cases.push_back(repeat_columns_case({3, 52}, 2));
  cases.push_back(mask_tokens_case({1, 4, 4}));
  cases.push_back(mask_tokens_case({3, 16, 52}));
}

}  // namespace edt

#include "model/blocks/text.h"

#include "core/ops/repeat.h"
#include "core/ops/rows.h"

namespace edt {
namespace {

constexpr const char* kTextPart = "text";

}  // namespace

PooledText PooledText::make(ParameterList& list, std::int64_t width, std::int64_t channels) {
  const ParameterList::Part part(list, kTextPart);
  return {Linear::make(list, "text_embedder.pooled", width, channels, {.init = Init::kNormal002})};
}

Var PooledText::operator()(Tape& tape, const TextInputs& text) const {
  return projection(tape, text_mean(tape, text.features, text.lengths));
}

TextTokens TextTokens::rows(Tape& tape, std::int64_t begin, std::int64_t end) const {
  if (!tokens) return {};
  return {take_rows(tape, tokens, begin, end),
          tape.view(lengths, lengths.tensor().slice(begin, end))};
}

TextTokens TextTokens::repeated(Tape& tape, std::int64_t times) const {
  if (!tokens) return {};
  return {repeat_batch(tape, tokens, times), repeat_batch(tape, lengths, times)};
}

TextEmbedding TextEmbedding::make(ParameterList& list, std::int64_t width,
                                  const TextConfig& config) {
  if (config.form != TextForm::kCross) return {};
  const ParameterList::Part part(list, kTextPart);
  return {Linear::make(list, "y_embedder.y_proj.fc1", width, config.channels,
                       {.init = Init::kNormal002}),
          Linear::make(list, "y_embedder.y_proj.fc2", width, width, {.init = Init::kNormal002}),
          list.tensor_ranks()};
}

TextTokens TextEmbedding::operator()(Tape& tape, const TextInputs& text) const {
  if (first.weight == nullptr) return {};
  const Var features = text_tokens(tape, text.features, text.lengths);
  const Var tokens = second(tape, gelu(tape, first(tape, features)));
  return {copy_to_tensor_ranks(tape, tokens, ranks, "gradient of the text"),
          tape.leaf(text.lengths)};
}

CrossAttention CrossAttention::make(ParameterList& list, const std::string& prefix,
                                    std::int64_t width, std::int64_t heads,
                                    std::int64_t text_width) {
  const ParameterList::Part part(list, kTextPart);
  return {
      .heads = heads / list.tensor_ranks().size(),
      .query = Linear::make(list, prefix + ".q_linear", width, width, {.cut = LinearCut::kOutputs}),
      .key_value = Linear::make(list, prefix + ".kv_linear", 2 * width, text_width,
                                {.cut = LinearCut::kOutputs, .chunks = 2}),
      .projection = Linear::make(list, prefix + ".proj", width, width,
                                 {.init = Init::kZero, .cut = LinearCut::kInputs}),
      .branch = ParallelBranch::make(list, prefix)};
}

Var CrossAttention::operator()(Tape& tape, const Var& x, const TextTokens& text) const {
  Var keys;
  {
    // Whatever varies in number of the tokens of x, the text's do not.
    const Tape::Capacity whole(tape, 1, 1);
    keys = key_value(tape, text.tokens);
  }
  const Var attended =
      cross_attention(tape, query(tape, branch.enter(tape, x)), keys, text.lengths, heads);
  return branch.leave(
      tape, linear(tape, attended, *projection.weight, branch.bias_inside(projection.bias)),
      *projection.bias);
}

}  // namespace edt

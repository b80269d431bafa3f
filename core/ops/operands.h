// What arguments of kernels consist of. Whoever looks at the operands of any kernel, as the planner
// does, needs no other knowledge of these structs; a new one gets its function here.
#pragma once

#include <type_traits>

#include "core/ops/backend.h"

namespace edt {

template <class Struct, class Like>
concept Either = std::is_same_v<std::remove_const_t<Struct>, Like>;

// Calls `visit` for each tensor, gradient target, range of columns and number, in order.
template <Either<MlpWeights> W, class Visit>
void for_each_operand(W& weights, Visit&& visit) {
  visit(weights.fc1), visit(weights.fc1_bias), visit(weights.fc2), visit(weights.fc2_bias);
}
template <Either<MlpGrads> M, class Visit>
void for_each_operand(M& grads, Visit&& visit) {
  visit(grads.fc1), visit(grads.fc1_bias), visit(grads.fc2), visit(grads.fc2_bias);
}
// What is not kept has no place: measured times of kernels stay theirs.
template <Either<MlpHidden> H, class Visit>
void for_each_operand(H& hidden, Visit&& visit) {
  visit(hidden.before);
  if (hidden.after.defined()) visit(hidden.after);
}
template <Either<VisibleTokens> K, class Visit>
void for_each_operand(K& visible, Visit&& visit) {
  visit(visible.ids), visit(visible.places), visit(visible.grid.columns);
}
// A square grid follows from the number of tokens, so that only others are told apart.
template <Either<TokenGrid> K, class Visit>
void for_each_operand(K& grid, Visit&& visit) {
  if (!grid.is_square()) visit(grid.columns);
}

template <Either<TokenDistance> D, class Visit>
void for_each_operand(D& distance, Visit&& visit) {
  visit(distance.kind), visit(distance.group);
}

template <Either<Gated> B, class Visit>
void for_each_operand(B& branch, Visit&& visit) {
  visit(branch.h), visit(branch.gate);
}
template <Either<GatedGrads> B, class Visit>
void for_each_operand(B& grads, Visit&& visit) {
  visit(grads.h), visit(grads.gate);
}
template <Either<NormTerms> M, class Visit>
void for_each_operand(M& norm, Visit&& visit) {
  visit(norm.weight), visit(norm.shift), visit(norm.scale);
}
template <Either<NormTermGrads> M, class Visit>
void for_each_operand(M& grads, Visit&& visit) {
  visit(grads.weight), visit(grads.shift), visit(grads.scale);
}

template <class T>
concept HasOperands = requires(T& value) {
  for_each_operand(value, [](auto&) {});
};

}  // namespace edt

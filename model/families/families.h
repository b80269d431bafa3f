// The one list of families of models. A new one is its folder and one word here.
#pragma once

#include <tuple>
#include <type_traits>
#include <variant>

#include "model/dit/family.h"
#include "model/edt/family.h"
#include "model/emmdit/family.h"
#include "model/mdtv2/family.h"

namespace edt {

using Families = std::tuple<EdtFamily, Mdtv2Family, DitFamily, EmmditFamily>;

// Calls `visit` with a value of each family's type, in order.
template <class Visit>
void for_each_family(Visit visit) {
  std::apply([&](auto... family) { (visit(family), ...); }, Families{});
}

namespace families {

template <class Config, class First, class... Rest>
constexpr auto of(const std::tuple<First, Rest...>*) {
  if constexpr (std::is_same_v<Config, typename First::Config>) {
    return First{};
  } else {
    return of<Config>(static_cast<const std::tuple<Rest...>*>(nullptr));
  }
}

template <class... Family>
std::variant<typename Family::Config...> configs_of(const std::tuple<Family...>*);

template <class... Family>
std::tuple<typename Family::Options...> options_of(const std::tuple<Family...>*);

template <class... Family>
std::tuple<typename Family::Inference...> inferences_of(const std::tuple<Family...>*);

}  // namespace families

// The family whose models have this configuration.
template <class Config>
using FamilyOf = decltype(families::of<Config>(static_cast<const Families*>(nullptr)));

// A configuration of any family; the options of all of them.
using AnyModelConfig = decltype(families::configs_of(static_cast<const Families*>(nullptr)));

}  // namespace edt

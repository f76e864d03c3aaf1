#!/bin/sh
# Tries the orchard's examples. Ends with status 0 when all of them pass, with 1 when one fails.

cd "$(dirname -- "$0")" || exit 2
examples=0
failed=0

# example BASKETS HANDS TRIPS
example() {
  examples=$((examples + 1))
  trips=$(sh ./orchard.sh "$1" "$2")
  if [ "$trips" = "$3" ]; then
    echo "ok    $1 baskets, $2 hands -> $trips"
  else
    failed=$((failed + 1))
    echo "FAIL  $1 baskets, $2 hands -> $trips, expected $3"
  fi
}

example 12 4 3
example 5 5 1
example 13 4 4
example 0 3 0

echo
echo "$examples examples, $failed failed"
[ "$failed" -eq 0 ]

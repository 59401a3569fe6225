<?php

/** Whether the message is genuine. $body is what came, byte for byte: file_get_contents('php://input'). */
function verify(string $body, string $id, string $timestamp, string $signatures, string $secret, int $now): bool
{
    if (!ctype_digit($timestamp) || abs($now - (int) $timestamp) > 300) {
        return false;
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret), true);
    $wanted = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $signatures) as $given) {
        if (hash_equals($wanted, $given)) {
            return true;
        }
    }
    return false;
}

[, $id, $timestamp, $signatures, $secret, $now] = $argv;
exit(verify(stream_get_contents(STDIN), $id, $timestamp, $signatures, $secret, (int) $now) ? 0 : 1);

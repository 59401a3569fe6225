<?php

// A consumer of webhooks with PHP alone: php -S 127.0.0.1:8080 consumer.php. Environment: DATABASE (a file), and SECRETS,
// separated by commas.

declare(strict_types=1);

// >>> genuine-only, fresh-only, accepted
function is_genuine(string $body, array $headers, int $now): bool
{
    $id = $headers['webhook-id'] ?? '';
    $timestamp = $headers['webhook-timestamp'] ?? '';
    if (!preg_match('/^\d{1,12}\z/', $timestamp) || abs($now - (int) $timestamp) > 300) {
        return false;
    }
    foreach (array_filter(explode(',', (string) getenv('SECRETS'))) as $secret) {
        // With no secret nothing is genuine; with two, either may have signed.
        $key = base64_decode(preg_replace('/^whsec_/', '', $secret), true);
        $wanted = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
        foreach (explode(' ', $headers['webhook-signature'] ?? '') as $given) {
            if (hash_equals($wanted, $given)) {
                return true;
            }
        }
    }
    return false;
}
// <<<

/** What is known: every change is one line of a file. A table with a unique key does the same. */
function facts($journal): array
{
    rewind($journal);
    $facts = array_map(fn (string $line) => json_decode($line, true), explode("\n", stream_get_contents($journal)));
    return array_filter($facts, fn ($fact) => is_array($fact) && count($fact) === 5);
}

// >>> exactly-once, tenants-apart
function process_once(string $tenant, string $id, array $event): void
{
    $journal = fopen(getenv('DATABASE'), 'a+');
    flock($journal, LOCK_EX); // the check and the effect are one step
    foreach (facts($journal) as [$known_tenant, $known_id]) {
        if ($known_tenant === $tenant && $known_id === $id) {
            return;
        }
    }
    $line = json_encode([$tenant, $id, $event['type'], $event['timestamp'], $event['data']['id']]);
    fwrite($journal, "\n$line\n"); // one write holds the effect and "processed"
    fsync($journal);
}
// <<<

// >>> any-order
function state(array $facts): array
{
    $happened = $objects = $changed = [];
    foreach ($facts as [$tenant, , $type, $timestamp, $object]) {
        $happened[] = [$tenant, $type, $object];
        if (!isset($changed["$tenant/$object"]) || $timestamp > $changed["$tenant/$object"]) {
            [$objects["$tenant/$object"], $changed["$tenant/$object"]] = [$type, $timestamp];
        }
    }
    return ['happened' => $happened, 'objects' => (object) $objects];
}
// <<<

// >>> no-crash
function read(string $body): ?array
{
    $event = json_decode($body, true); // null for what is no JSON, no UTF-8 or too deep
    foreach ([$event['type'] ?? null, $event['timestamp'] ?? null, $event['data']['id'] ?? null] as $text) {
        if (!is_string($text) || $text === '' || str_contains($text, "\0")) {
            return null;
        }
    }
    return $event;
}
// <<<

// >>> durable, silent, in-time, whole-batch
function receive(string $tenant, array $headers, string $body): array
{
    if (!is_genuine($body, $headers, time())) {
        return [400, 'refused']; // the same words, whatever was wrong
    }
    $event = read($body);
    if ($event === null) {
        return [400, 'unreadable'];
    }
    process_once($tenant, $headers['webhook-id'], $event);
    return [200, 'ok']; // only now: it is on the disk, and nothing slow was done before
}
// <<<

ignore_user_abort(true);
if ($_SERVER['REQUEST_METHOD'] === 'GET') {
    echo json_encode(state(facts(fopen(getenv('DATABASE'), 'a+'))));
    exit;
}
[$status, $text] = receive(
    basename($_SERVER['REQUEST_URI']),
    array_change_key_case(getallheaders()),
    file_get_contents('php://input'),
);
http_response_code($status);
echo $text;

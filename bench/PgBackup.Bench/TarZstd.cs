namespace PgBackup.Bench;

/// <summary>tar through zstd: what the machine can do when nothing is checked, indexed or promised.</summary>
internal sealed class TarZstd(Stopwatches stopwatches, string dataDirectory, string folder) : Contestant
{
    private readonly string _archive = Path.Combine(folder, "data.tar.zst");

    public override string Name => "tar | zstd -1 -T0";

    public override async Task<string> DescribeAsync(CancellationToken cancellationToken) =>
        $"{await Tools.FirstLineAsync("tar", "--version")}; {(await Tools.FirstLineAsync("zstd", "--version")).Trim('*', ' ')}; into one file, which is then synced";

    public override async Task<IReadOnlyList<Result>> BackUpAsync(bool isFull, CancellationToken cancellationToken)
    {
        File.Delete(_archive);
        (Measurement piped, _) = await stopwatches.RunAsync(
            cancellationToken, "bash", "-c", "set -o pipefail; tar -C \"$0\" -c -f - --exclude=./pg_wal/* . | zstd -1 -T0 -q -o \"$1\"", dataDirectory, _archive);
        (Measurement synced, _) = await stopwatches.RunAsync(cancellationToken, "sync", _archive);
        return [new Result($"{Name}, synced", piped + synced), new Result($"{Name}, not synced", piped)];
    }

    public override async Task<IReadOnlyList<Result>> RestoreAsync(string destination, CancellationToken cancellationToken)
    {
        (Measurement piped, _) = await stopwatches.RunAsync(
            cancellationToken, "bash", "-c", "set -o pipefail; zstd -d -q -c \"$1\" | tar -C \"$0\" -x -f -", destination, _archive);
        (Measurement synced, _) = await stopwatches.RunAsync(cancellationToken, "find", destination, "-exec", "sync", "{}", "+");
        return [new Result("zstd -d | tar, synced", piped + synced), new Result("zstd -d | tar, not synced", piped)];
    }

    public override void WarmNewestBackup(CancellationToken cancellationToken) => Sizes.Warm(_archive, cancellationToken);

    public override Task<long> StoredBytesAsync(CancellationToken cancellationToken) => Task.FromResult(Sizes.Of(_archive));
}

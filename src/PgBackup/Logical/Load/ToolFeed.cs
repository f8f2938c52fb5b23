using PgBackup.Postgres.Tools;

namespace PgBackup.Logical.Load;

/// <summary>
/// Gives a dump to a program. The last piece is held back until the dump has told its end, so that a program never comes to an end, or commits, with a dump that turns out to be damaged; its input
/// is closed then and only then. On damage it is killed (by disposing of the process).
/// </summary>
internal static class ToolFeed
{
    private const int PieceLength = 256 << 10;

    /// <summary>Feeds a program and waits for its end. Throws what reading the dump throws; the process must then be disposed of.</summary>
    public static async Task<ToolOutcome> RunAsync(ToolProcess process, Stream? dump, Action<ReadOnlyMemory<byte>> onPiece, CancellationToken cancellationToken)
    {
        Task drain = process.Output.CopyToAsync(Stream.Null, CancellationToken.None);
        if (dump is null)
            process.Input.Close();
        else if (!await PumpAsync(process.Input, dump, onPiece, cancellationToken).ConfigureAwait(false))
            return await AfterEarlyEndAsync(process, dump, drain, cancellationToken).ConfigureAwait(false);
        ToolOutcome outcome = await process.WaitAsync(cancellationToken).ConfigureAwait(false);
        await drain.ConfigureAwait(false);
        return outcome;
    }

    // It failed, or it had all that it needs: then the rest is read all the same, so that damage is told.
    private static async Task<ToolOutcome> AfterEarlyEndAsync(ToolProcess process, Stream dump, Task drain, CancellationToken cancellationToken)
    {
        ToolOutcome outcome = await process.WaitAsync(cancellationToken).ConfigureAwait(false);
        await drain.ConfigureAwait(false);
        if (outcome.ExitCode == 0)
            await dump.CopyToAsync(Stream.Null, PieceLength, cancellationToken).ConfigureAwait(false);
        return outcome;
    }

    // False when the program takes no more.
    private static async Task<bool> PumpAsync(Stream target, Stream dump, Action<ReadOnlyMemory<byte>> onPiece, CancellationToken cancellationToken)
    {
        byte[] held = new byte[PieceLength], next = new byte[PieceLength];
        int heldLength = 0;
        while (await dump.ReadAtLeastAsync(next, PieceLength, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false) is > 0 and var count)
        {
            onPiece(next.AsMemory(0, count));
            if (!await TryWriteAsync(target, held.AsMemory(0, heldLength), cancellationToken).ConfigureAwait(false))
                return false;
            (held, next) = (next, held);
            heldLength = count;
        }
        if (!await TryWriteAsync(target, held.AsMemory(0, heldLength), cancellationToken).ConfigureAwait(false))
            return false;
        target.Close();
        return true;
    }

    private static async Task<bool> TryWriteAsync(Stream target, ReadOnlyMemory<byte> piece, CancellationToken cancellationToken)
    {
        // A write into a full pipe cannot be cancelled; when this is left behind, the program is ended, and with it the write.
        Task write = target.WriteAsync(piece, CancellationToken.None).AsTask();
        try
        {
            await write.WaitAsync(cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
